import sys

import pytest

from npgrad.cli import main


@pytest.fixture
def npgrad(capsys, tmp_path, monkeypatch):
    """Run a command in an empty folder: status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def run(*args):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in args])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    return run
