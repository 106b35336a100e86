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
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from npgrad import compile_agent, jit
from npgrad.deploy import Agent
from npgrad.deploy.export import export_c, export_numpy, export_onnx
from npgrad.policies import make_policy
from npgrad.pool import single_blas_thread
from npgrad.spaces import Box, Discrete

N = 64  # observations a measurement goes through
PASSES = 401
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
    pointers = ctypes.c_void_p(rows.ctypes.data), ctypes.c_void_p(action.ctypes.data)
    return lambda rows=rows, action=action: run(*pointers, N)  # which keeps both arrays alive


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


def microseconds(ways):
    """Median time of one action by each way, in µs.

    A measurement is one pass over the observations, so short that others on the machine interrupt few.
    """
    passes = {name: [] for name in ways}
    for _ in range(PASSES):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            passes[name].append(time.perf_counter() - began)
    return {name: 1e6 * float(np.median(seconds)) / N for name, seconds in passes.items()}


def main() -> None:
    """Print the table."""
    rng, columns = np.random.default_rng(0), {}
    for d, space, what in ((4, Discrete(2), "softmax"), (17, Box(-1.0, 1.0, (6,)), "Gaussian")):
        for kind in ("linear", "mlp"):
            policy = make_policy((Box(-np.inf, np.inf, (d,)), space), kind)
            agent, obs = Agent(policy, policy.init(rng)), rng.normal(size=(N, d)).astype(np.float32)
            with tempfile.TemporaryDirectory() as folder, single_blas_thread():
                times = microseconds(candidates(agent, obs, Path(folder)))
            columns[f"{'64×64' if kind == 'mlp' else 'linear'}, {d} → {what}"] = times
    lines = [" | ".join(["| µs", *columns, ""]).strip(), "|---" + "|--:" * len(columns) + "|"]
    for name in times:
        lines.append(" | ".join([f"| {name}", *(f"{column[name]:.3g}" for column in columns.values()), ""]).strip())
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    text = "\n".join([*lines, "", f"On {processor()}, one thread, {versions}.", ""])
    print(text)
    if "--write" in sys.argv:
        page = PAGE.read_text(encoding="utf-8")
        before, rest = page.split(BEGIN)
        PAGE.write_text(before + BEGIN + "\n" + text + END + rest.split(END)[1], encoding="utf-8")


if __name__ == "__main__":
    main()
