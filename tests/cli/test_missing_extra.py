"""An environment whose package is not installed: the pip command, in one line."""

import gymnasium


def test_the_pip_command_is_given(npgrad, monkeypatch):
    def make(*args, **kwargs):
        raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed")

    monkeypatch.setattr(gymnasium, "make", make)
    status, out, err = npgrad("train", "Hopper-v5")
    assert status == 1
    assert out == ""
    assert err.count("\n") == 1
    assert "pip install 'npgrad[mujoco]'" in err
