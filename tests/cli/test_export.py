"""`npgrad export` writes what the library's functions write, and says what a device needs."""

import runpy
import shutil

import numpy as np
import pytest

from npgrad.cli import main
from npgrad.deploy.export import export_c
from tests.deploy.zoo import agent_of


@pytest.fixture
def npgrad(capsys, tmp_path):
    """Run a command: status, standard output, standard error; the run folder has an agent."""
    agent_of("relu, shared σ, clip").save(tmp_path / "agent.npz")

    def run(*args):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in args])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run


def test_c(npgrad, tmp_path):
    status, out, err = npgrad("export", tmp_path, "--to", "c", "--precision", "float", "--learning", "--name", "robot")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == [str(tmp_path / "c" / f"robot.{end}") for end in "ch"]
    for line, compiler in zip(lines[2:], ("arm-none-eabi-gcc", "gcc"), strict=True):
        assert line.startswith(compiler if shutil.which(compiler) else "not measured")
    export_c(agent_of("relu, shared σ, clip"), tmp_path / "same", "float", learning=True, name="robot")
    assert (tmp_path / "c" / "robot.c").read_text() == (tmp_path / "same" / "robot.c").read_text()


def test_numpy_and_onnx(npgrad, tmp_path):
    status, out, _ = npgrad("export", tmp_path / "agent.npz", "--to", "numpy")
    assert (status, out) == (0, f"{tmp_path / 'agent.py'}\n")
    obs = np.array([0.1, -0.2, 0.3, 0.4], np.float32)
    expected = agent_of("relu, shared σ, clip").act(obs)
    np.testing.assert_array_equal(runpy.run_path(str(tmp_path / "agent.py"))["act"](obs), expected)
    pytest.importorskip("onnx")
    status, out, _ = npgrad("export", tmp_path, "--to", "onnx", "--out", tmp_path / "deep" / "a.onnx")
    assert (status, out) == (0, f"{tmp_path / 'deep' / 'a.onnx'}\n")
    assert (tmp_path / "deep" / "a.onnx").stat().st_size > 500


def test_wrong_usage(npgrad, tmp_path):
    for words, message in [
        (["--to", "rust"], "rust"),
        ([], "--to"),
        (["--to", "onnx", "--learning"], "--to c"),
        (["--to", "numpy", "--precision", "float"], "--precision"),
    ]:
        status, _, err = npgrad("export", tmp_path, *words)
        assert status == 2
        assert message in err
    status, _, err = npgrad("export", tmp_path, "--to", "c", "--name", "No-Name")
    assert status == 1
    assert "expected a C name" in err
    (tmp_path / "agent.npz").unlink()
    status, _, err = npgrad("export", tmp_path, "--to", "c")
    assert status == 1
    assert "no agent.npz" in err
