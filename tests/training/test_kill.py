"""Runs killed with SIGKILL at random moments: three algorithms, both engines, every resumed one equal in every file."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "studies" / "kill.py"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="children are forked")
def test_twenty_five_kills(tmp_path):
    options = ["--kills", "25", "--steps", "500", "--only", "reinforce", "a2c", "ppo", "--out", tmp_path]
    done = subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all equal" in done.stdout
    assert len(re.findall(r"killed [1-9]\d* times", done.stdout)) == 6
    assert int(re.search(r"(\d+) kills of", done.stdout)[1]) >= 25
