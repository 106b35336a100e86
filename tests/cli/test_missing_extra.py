"""An environment whose package is not installed: the pip command, in one line; and what is not there at all."""

from importlib import metadata

import gymnasium

from npgrad.cli.run import versions


def test_the_pip_command_is_given(npgrad, monkeypatch):
    def make(*args, **kwargs):
        raise gymnasium.error.DependencyNotInstalled("MuJoCo is not installed")

    monkeypatch.setattr(gymnasium, "make", make)
    status, out, err = npgrad("train", "Hopper-v5")
    assert status == 1
    assert out == ""
    assert err.count("\n") == 1
    assert "pip install 'npgrad[mujoco]'" in err


def test_a_run_says_what_it_rests_on_as_far_as_that_is_installed(monkeypatch):
    def version(name, known=metadata.version):
        if name in ("npgrad", "numba"):  # run from its sources, and without numba
            raise metadata.PackageNotFoundError(name)
        return known(name)

    monkeypatch.setattr(metadata, "version", version)
    assert versions().keys() == {"python", "npgrad", "numpy", "gymnasium"}
