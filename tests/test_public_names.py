"""The names of ``import npgrad``: lazy, listed once in each place that needs them, and what they say they are."""

import ast
import inspect
import subprocess
import sys

import pytest

import npgrad


@pytest.mark.parametrize("name", npgrad.__all__)
def test_every_name_is_there(name):
    assert name in dir(npgrad)
    value = getattr(npgrad, name)
    assert name == "__version__" or value.__name__ == name


def test_three_lists_agree():
    """What is resolved, what is offered, and what type checkers see."""
    tree = ast.parse(inspect.getsource(npgrad))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body for alias in node.names}
    assert seen == npgrad._WHERE
    assert set(npgrad.__all__) == {*npgrad._WHERE, "__version__"}


def test_an_unknown_name():
    with pytest.raises(AttributeError, match="module 'npgrad' has no attribute 'REINFORC'"):
        npgrad.REINFORC  # noqa: B018


def test_star_import():
    code = "from npgrad import *; print(Agent.__name__, make_policy.__name__)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["Agent", "make_policy"]
