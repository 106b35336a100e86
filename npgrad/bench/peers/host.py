"""The other end of the pipe: ``python host.py NAME`` answers lines of JSON, one peer a process.

{"do": "about"}                                  → {"about": "torch 2.13.0"}
{"do": "start", "case": "gradient", "with": {}}  → {"case": 0, "digest": [1.5, 0.3]}
{"do": "run", "case": 0, "calls": 8}             → {"seconds": 0.01}
{"do": "clear"}                                  → {}
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any


def main() -> None:
    """Serve until the pipe closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    module = importlib.import_module(f"with_{sys.argv[1]}")
    cases: list[Any] = []
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = _answer(module, cases, request)
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(module: Any, cases: list[Any], request: dict[str, Any]) -> dict[str, Any]:
    match request["do"]:
        case "about":
            return {"about": module.about()}
        case "start":
            function, result = module.CASES[request["case"]](**request["with"])
            cases.append(function)
            return {"case": len(cases) - 1, "digest": result}
        case "run":
            function = cases[request["case"]]
            began = time.perf_counter()
            for _ in range(request["calls"]):
                function()
            return {"seconds": time.perf_counter() - began}
        case "clear":  # with all the arrays that they hold
            cases.clear()
            return {}
    raise ValueError(f"no request {request['do']!r}")


if __name__ == "__main__":
    main()
