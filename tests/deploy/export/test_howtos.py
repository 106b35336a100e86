"""The how-tos about exports, their C and shell included: files are named in their first line, gcc lines are run."""

import doctest
import re
import shutil
import subprocess
from pathlib import Path

import pytest

PAGES = Path(__file__).parents[3] / "docs" / "howto"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def run(text, folder):
    """Run a page's Python, write its C, run the shell blocks that begin with gcc; compare what these print."""
    names, printed = {"__name__": "page"}, ""
    for kind, code in FENCE.findall(text):
        if kind == "python":
            exec(compile(code, "page", "exec"), names)
        elif kind == "c":
            (folder / re.match(r"/\* (\S+) \*/", code)[1]).write_text(code)
        elif kind == "sh" and code.startswith("gcc"):
            command = ["bash", "-euo", "pipefail", "-c", code]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr + done.stdout
            printed = done.stdout
        elif kind == "text":
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            assert doctest.OutputChecker().check_output(code, printed, flags), printed
    return printed


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
@pytest.mark.skipif(not PAGES.exists(), reason="installed without its pages")
@pytest.mark.parametrize("page", ["deploy_c.md", "deploy_learning.md"])
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run((PAGES / page).read_text(encoding="utf-8"), tmp_path)


@pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")
def test_what_goes_wrong_is_seen(tmp_path):
    page = '```c\n/* a.c */\n#include <stdio.h>\nint main(void) { puts("one"); return 0; }\n```\n'
    page += "```sh\ngcc a.c -o a && ./a\n```\n```text\none\n```\n"
    assert run(page, tmp_path) == "one\n"
    for wrong in (
        page.replace("return 0", "return 1"),
        page.replace("puts", "put"),
        page.replace("\none\n", "\ntwo\n"),
    ):
        with pytest.raises(AssertionError):
            run(wrong, tmp_path)
