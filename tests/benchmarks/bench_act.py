"""One action in Python, compiled, in C and in ONNX beside one another, in one run.

    python tests/benchmarks/bench_act.py [--write]

Ways that need numba, gcc or onnxruntime are left out where there is none. The C functions are called in a loop in C,
the others in a loop in Python. With --write the table in docs/howto/deploy.md is replaced.
"""

from __future__ import annotations

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it, and it halves the speed of matrix products

import ctypes
import platform
import runpy
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from npgrad import compile_agent, jit
from npgrad.bench import compare
from npgrad.bench.timing import shown_time
from npgrad.deploy import Agent
from npgrad.deploy.export import export_c, export_numpy, export_onnx
from npgrad.policies import make_policy
from npgrad.pool import single_blas_thread
from npgrad.spaces import Box, Discrete

N = 256  # observations a measurement goes through
PAGE = Path(__file__).parents[2] / "docs" / "howto" / "deploy.md"
BEGIN, END = "<!-- bench_act -->\n", "<!-- end -->"

LOOP = """
#include "npg.c"
void all(const npg_real *obs, npg_action *action, int n)
{
    int i;
    for (i = 0; i < n; i++)
        npg_act(obs + i * NPG_N_OBS, action);
}
"""


def in_c(agent, obs, folder, precision, flags):
    """A function that acts on all observations in C."""
    export_c(agent, folder, precision)
    (folder / "loop.c").write_text(LOOP)
    command = ["gcc", "-std=c99", *flags, "-shared", "-fPIC", "loop.c", "-o", "loop.so", "-lm"]
    subprocess.run(command, cwd=folder, check=True)
    run = ctypes.CDLL(str(folder / "loop.so")).all
    rows = np.ascontiguousarray(obs, precision if precision == "double" else "float32")
    action = np.empty(16)
    return lambda: run(rows.ctypes, action.ctypes, N)


def in_onnx(agent, folder):
    """The session of onnxruntime, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = export_onnx(agent, folder / "agent.onnx", "float")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run


def candidates(agent, obs, folder):
    """Everything there is on this machine; the last two take all observations at once."""
    exported = runpy.run_path(str(export_numpy(agent, folder / "agent.py")))["act"]
    found = {"`agent.act`": lambda: [agent.act(row) for row in obs]}
    if jit.enabled():
        compiled = compile_agent(agent)
        found["`compile_agent(agent)`"] = lambda: [compiled(row) for row in obs]
    found["`agent.predict`, deterministic"] = lambda: [agent.predict(row, deterministic=True) for row in obs]
    found["`agent.predict`, drawn"] = lambda: [agent.predict(row) for row in obs]
    found["Python file"] = lambda: [exported(row) for row in obs]
    if shutil.which("gcc"):
        for precision, flags in (("double", ["-O2"]), ("float", ["-O2"]), ("float", ["-O3", "-march=native"])):
            inner = folder / f"{precision}{flags[0]}"
            found[f"C, {precision}, `{' '.join(flags)}`"] = in_c(agent, obs, inner, precision, flags)
    batches = {"`agent.act_batch`": lambda: agent.act_batch(obs)}
    if find_spec("onnxruntime") and find_spec("onnx"):
        run = in_onnx(agent, folder)
        found["onnxruntime, float"] = lambda: [run(["action"], {"obs": row[None]}) for row in obs]
        batches["onnxruntime, float"] = lambda: run(["action"], {"obs": obs})
    return found | {f"{name}, {N} at once, each": batch for name, batch in batches.items()}


def processor():
    """What this ran on, if that is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.machine()


def shown(way):
    """Median time of one action, and how many times faster than `Agent.act`."""
    ratio = f"{way.ratio:.0f}" if way.ratio >= 10 else f"{way.ratio:.2g}"
    return shown_time(way.median / N) + (f" ({ratio} ×)" if way.ratio != 1 else "")


def main() -> None:
    """Print the table."""
    rng, columns = np.random.default_rng(0), {}
    for d, space, what in ((4, Discrete(2), "softmax"), (17, Box(-1.0, 1.0, (6,)), "Gaussian")):
        for kind in ("linear", "mlp"):
            policy = make_policy((Box(-np.inf, np.inf, (d,)), space), kind)
            agent, obs = Agent(policy, policy.init(rng)), rng.normal(size=(N, d)).astype(np.float32)
            with tempfile.TemporaryDirectory() as folder, single_blas_thread():
                timings = compare(candidates(agent, obs, Path(folder)), rounds=21)
            columns[f"{'64×64' if kind == 'mlp' else 'linear'}, {d} → {what}"] = timings
    lines = [" | ".join(["| ", *columns, ""]).strip(), "|---" * (len(columns) + 1) + "|"]
    for ways in zip(*columns.values(), strict=True):
        cells = [shown(way) for way in ways]
        lines.append(f"| {ways[0].name} | {' | '.join(cells)} |")
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    text = "\n".join([*lines, "", f"On {processor()}, one thread, {versions}.", ""])
    print(text)
    if "--write" in sys.argv:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + text + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
