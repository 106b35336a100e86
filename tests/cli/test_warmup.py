"""`npgrad warmup` knows of every kernel and environment, and tells what it compiled from what it found."""

import os
import subprocess
import sys

import numpy as np
import pytest

from npgrad import jit
from npgrad.cli import warmup as module
from npgrad.envs import COMPILED, find
from npgrad.rollouts import parts


def test_every_kernel_and_environment_is_among_them():
    names = [name for name, _ in module._units()]
    kernels = [name for name in names if " " not in name]
    assert {"gae", "reward_to_go", "fill", "roll_block"} <= set(kernels)
    assert len(kernels) == sum(kernel.__module__.startswith("npgrad.") for kernel in jit.all_kernels())
    functions = {function for env in map(find, COMPILED) for function in (env.reset, env.step)}
    assert {"linear forward", "softmax draw"} <= set(names)
    assert len(names) - len(kernels) == 2 * len(functions) + len(parts.FORWARDS) + len(parts.DRAWS)


def scaled(x, factor, out):
    for i in range(x.shape[0]):
        out[i] = factor * x[i]


@pytest.fixture
def one_kernel(monkeypatch, tmp_path):
    """A cache of its own, and one kernel to fill it with, declared anew for each call as in a new process."""
    if not jit.enabled():
        pytest.skip("kernels run as plain Python")
    monkeypatch.setenv("NPGRAD_CACHE_DIR", str(tmp_path / "cache"))

    def units():
        yield "scaled", lambda: jit.Kernel(scaled, ("void(float64[::1], float64, float64[::1])",)).compile()

    monkeypatch.setattr(module, "_units", units)


def test_what_is_compiled_is_warm_the_next_time(npgrad, one_kernel, monkeypatch):
    status, out, _ = npgrad("warmup")
    assert status == 0
    assert out.startswith("compiled 1 of 1 functions in ")
    assert npgrad("warmup")[1].startswith("all 1 functions were warm")

    def changed(x, factor, out):
        for i in range(x.shape[0]):
            out[i] = factor + x[i]

    monkeypatch.setitem(globals(), "scaled", changed)
    assert npgrad("warmup")[1].startswith("compiled 1 of 1")
    assert npgrad("warmup")[1].startswith("all 1 functions were warm")


def test_environment_functions_are_told_apart_too(monkeypatch, tmp_path):
    if not jit.enabled():
        pytest.skip("kernels run as plain Python")
    monkeypatch.setenv("NPGRAD_CACHE_DIR", str(tmp_path))

    def reset(params, lanes, noise, state, obs):
        for j in range(lanes.shape[0]):
            state[0, lanes[j]] = noise[0, j]

    compiled = jit.env_function(reset, "reset")
    assert module._compiled_anew(compiled)
    compiled._cache_hits = 1  # as numba counts a load
    assert not module._compiled_anew(compiled)
    assert np.isfinite(compiled.address)


def test_without_numba_there_is_nothing_to_do():
    command = [sys.executable, "-m", "npgrad", "warmup"]
    done = subprocess.run(command, env={**os.environ, "NPGRAD_JIT": "0"}, capture_output=True, text=True, check=True)
    assert "nothing to compile" in done.stdout
