"""One action in Python, C and ONNX beside one another, as ratios in one run.

    python tests/benchmarks/bench_act.py

Columns that need gcc or onnxruntime are left out where there is none. The C functions are called in a loop in C, the
others in a loop in Python.
"""

from __future__ import annotations

import os

os.environ.pop("OPENBLAS_CORETYPE", None)  # some machines set it, and it halves the speed of matrix products

import ctypes
import runpy
import shutil
import subprocess
import tempfile
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from npgrad.bench import compare, table
from npgrad.deploy import Agent
from npgrad.deploy.export import export_c, export_numpy, export_onnx
from npgrad.policies import make_policy
from npgrad.pool import single_blas_thread
from npgrad.spaces import Box, Discrete

N = 256  # observations a measurement goes through

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


def in_onnx(agent, obs, folder):
    """A function that acts on one observation after the other in onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    path = export_onnx(agent, folder / "agent.onnx", "float")
    run = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]).run
    rows = [row[None].astype(np.float32) for row in obs]
    return lambda: [run(["action"], {"obs": row}) for row in rows]


def candidates(agent, obs, folder):
    """Everything there is on this machine."""
    exported = runpy.run_path(str(export_numpy(agent, folder / "agent.py")))["act"]
    found = {
        "Agent.act": lambda: [agent.act(row) for row in obs],
        "general path": lambda: [agent.act_batch(row[None]) for row in obs],
        "Python file": lambda: [exported(row) for row in obs],
    }
    if find_spec("onnxruntime") and find_spec("onnx"):
        found["onnxruntime, float"] = in_onnx(agent, obs, folder)
    if shutil.which("gcc"):
        for precision in ("double", "float"):
            for flags in (["-O2"], ["-O3", "-march=native"]):
                inner = folder / f"{precision}{flags[0]}"
                found[f"C {precision}, {' '.join(flags)}"] = in_c(agent, obs, inner, precision, flags)
    return found


def main() -> None:
    """Print the table."""
    rng, rows = np.random.default_rng(0), []
    for d, space, what in ((4, Discrete(2), "softmax"), (17, Box(-1.0, 1.0, (6,)), "Gaussian")):
        for kind in ("linear", "mlp"):
            policy = make_policy((Box(-np.inf, np.inf, (d,)), space), kind)
            agent, obs = Agent(policy, policy.init(rng)), rng.normal(size=(N, d)).astype(np.float32)
            with tempfile.TemporaryDirectory() as folder, single_blas_thread():
                timings = compare(candidates(agent, obs, Path(folder)), rounds=15)
            name = f"{'64×64 MLP' if kind == 'mlp' else 'linear'}, {d} inputs, {what}"
            rows.append((name, [replace(timing, seconds=timing.seconds / N) for timing in timings]))
    print(table(rows))


if __name__ == "__main__":
    main()
