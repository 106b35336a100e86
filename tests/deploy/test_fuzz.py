"""Twenty thousand mutated agent files: refused or loaded, nothing executed, nothing large, nothing slow."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npgrad.deploy import load_agent
from npgrad.errors import CorruptFile
from tests.deploy.fuzz import of_bytes, of_length
from tests.deploy.zoo import agent_of

SCRIPT = Path(__file__).parent / "fuzz.py"
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the limits are Linux's")


def run(*command):
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)


@linux
def test_twenty_thousand_mutated_files():
    done = run(SCRIPT, "--files", "20000")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20000 files" in done.stdout
    for kind in ("arrays loaded", "arrays refused", "bytes loaded", "bytes refused", "header loaded", "length refused"):
        assert kind in done.stdout


@linux
@pytest.mark.parametrize(
    "act", ["eval('1')", "import wave", "__import__('os').system('true')", "open('x', 'w')", "bytearray(1 << 30)"]
)
def test_the_guard_can_bite(act, tmp_path):
    code = f"import sys; sys.path.insert(0, {str(SCRIPT.parents[2])!r}); from tests.deploy import fuzz; fuzz.guard()"
    done = run("-c", f"{code}\n{act}")
    assert done.returncode, act
    assert "audit event" in done.stderr or "MemoryError" in done.stderr


@pytest.mark.parametrize("name", ["normalised softmax", "sensors"])
def test_a_changed_file_that_loads_acts_as_before(name, tmp_path):
    """Where no checksum was put right, what loads is the agent itself: some bytes of a zip archive matter to nobody."""
    rng, agent, path = np.random.default_rng(0), agent_of(name), tmp_path / "agent.npz"
    agent.save(path)
    whole, loaded = path.read_bytes(), 0
    for i in range(400):
        path.write_bytes((of_bytes, of_length)[i % 2](whole, rng))
        try:
            other = load_agent(path)
        except CorruptFile:
            continue
        loaded += 1
        assert other.theta.tobytes() == agent.theta.tobytes()
        assert other.policy.observation_space == agent.policy.observation_space
    assert 0 < loaded < 200
