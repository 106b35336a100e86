"""The oracle judges estimators, kernels, baselines and critics, so it must not stand on them."""

import ast
from pathlib import Path

import npgrad.oracle

JUDGED = {"estimators", "kernels", "baselines", "critics", "rollouts"}


def imported(source):
    """Every dotted name that a module imports."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module or ''}.{alias.name}" for alias in node.names)


def judged(source):
    return [name for name in imported(source) if JUDGED & set(name.split("."))]


def test_the_oracle_stands_apart():
    files = sorted(Path(npgrad.oracle.__file__).parent.glob("*.py"))
    assert len(files) > 10
    assert {f.name: judged(f.read_text(encoding="utf-8")) for f in files} == {f.name: [] for f in files}


def test_the_check_finds_an_import():
    for line in ("from .. import kernels", "from ..estimators import Estimate", "import npgrad.critics.tabular"):
        assert judged(line)
