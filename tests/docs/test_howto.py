"""The Python of the pages runs as it stands.

The convention: in every Markdown file under docs/, blocks fenced as ```python run one after another, in one namespace
and one empty folder a page. A block fenced as ```output holds what the blocks since the last such one printed, by
doctest's rules ("..." stands for anything). Blocks fenced as anything else (text, sh, py, …) are only shown.
"""

import contextlib
import doctest
import io
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
FENCE = re.compile(r"^(`{3,})([^\n`]*)\n(.*?)^\1$", re.DOTALL | re.MULTILINE)


def blocks(text):
    """Kind, code and first line number of each python or output block."""
    fences = [(m[2].strip(), m[3], text.count("\n", 0, m.start(3))) for m in FENCE.finditer(text)]
    return [fence for fence in fences if fence[0] in ("python", "output")]


def pages():
    """All pages with a block that runs."""
    found = {path.relative_to(DOCS).as_posix(): path.read_text(encoding="utf-8") for path in DOCS.rglob("*.md")}
    return {name: text for name, text in sorted(found.items()) if not name.startswith("_") and blocks(text)}


def run(name, text):
    """Run a page; the numbers in a traceback are lines of the page."""
    names, printed = {"__name__": "page"}, io.StringIO()
    for kind, code, line in blocks(text):
        if kind == "python":
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * line + code, name, "exec"), names)
        else:
            got = printed.getvalue()
            flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
            if not doctest.OutputChecker().check_output(code, got, flags):
                pytest.fail(f"{name}, line {line + 1}: expected\n{code}printed\n{got}")
            printed = io.StringIO()
    return names


@pytest.mark.skipif(not DOCS.exists(), reason="installed without its pages")
@pytest.mark.parametrize("name", pages() if DOCS.exists() else [])
def test_page_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(name, pages()[name])


PAGE = """Text.

```python
x = 1
print("x is", x, object())
```

```text
this is not run, nor compared
```

```output
x is 1 <object ...>
```

````markdown
```python
print(x + 1)
```
````
"""


def test_blocks_share_a_namespace_and_are_compared():
    assert run("page", PAGE)["x"] == 1
    with pytest.raises(pytest.fail.Exception, match=r"(?s)page, line 13: expected\nx is 1.*printed\nx is 2"):
        run("page", PAGE.replace("x = 1", "x = 2"))


def test_an_error_names_the_line_of_the_page():
    with pytest.raises(ZeroDivisionError) as caught:
        run("page", PAGE.replace("x = 1", "x = 1 / 0"))
    assert caught.traceback[-1].lineno + 1 == 4
