"""The floors of docs/architecture.md: imports go down only, siblings stay strangers, agents stand on NumPy alone."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
NUMPY_ONLY = ("policies", "deploy")
COMPILED = ("jit", "kernels", "envs")


def floors():
    """The steps of the table in docs/architecture.md, from the highest to the lowest, each a set of modules."""
    rows = re.findall(
        r"^\| \d \| (.*) \|$", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    steps = [step for row in rows for step in row.split(" over ")]
    return [set(re.findall(r"`(\w+)`", step)) for step in steps]


def import_graph(package):
    return grimp.build_graph(
        package, include_external_packages=True, exclude_type_checking_imports=True, cache_dir=None
    )


def climbing(graph, package, steps):
    """Imports that go up, or from sibling to sibling, as lines to read."""
    illegal = graph.find_illegal_dependencies_for_layers(layers=steps, containers={package})
    return sorted(f"{step.importer} reaches {step.imported}" for step in illegal)


def reaching(graph, package, from_modules, to_modules):
    """Chains of imports, however long, from some modules to others."""
    chains = []
    for a in from_modules:
        for b in to_modules:
            found = graph.find_shortest_chains(f"{package}.{a}", f"{package}.{b}", as_packages=True)
            chains += [" → ".join(chain) for chain in found]
    return sorted(chains)


def shadowing(folder):
    """Names that a package offers and one of its modules has too: one of the two would hide the other."""
    found = []
    for init in folder.rglob("__init__.py"):
        modules = {path.stem for path in init.parent.glob("*.py")} | {
            path.parent.name for path in init.parent.glob("*/__init__.py")
        }
        tree = ast.parse(init.read_text(encoding="utf-8"))
        imported = {
            a.asname or a.name for n in tree.body if isinstance(n, ast.ImportFrom) and n.module for a in n.names
        }
        lists = [n.value for n in tree.body if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "__all__"]
        offered = imported.union(*map(ast.literal_eval, lists))
        found += [f"{init.parent.name}.{name}" for name in offered & modules]
    return sorted(found)


def importing(folder, package):
    """Files that import `package`, by a statement or by a call."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py") if _imports(path, package))


def _imports(path, package):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            names = [arg.value for arg in node.args if isinstance(arg, ast.Constant)]
        else:
            continue
        if any(name.split(".")[0] == package for name in names):
            return True
    return False


@pytest.fixture(scope="module")
def graph():
    return import_graph("npgrad")


def test_every_module_has_a_floor(graph):
    modules = {name.removeprefix("npgrad.") for name in graph.find_children("npgrad")}
    placed = set().union(*floors())
    assert modules - placed <= {"_version", "__main__"}, "a new module belongs into the table of docs/architecture.md"


def test_imports_go_down(graph):
    assert climbing(graph, "npgrad", floors()) == []


def test_agents_reach_nothing_compiled(graph):
    there = [name for name in NUMPY_ONLY if f"npgrad.{name}" in graph.modules]
    assert reaching(graph, "npgrad", there, COMPILED) == []


def test_jit_alone_imports_numba():
    files = importing(ROOT / "npgrad", "numba")
    assert files
    assert {Path(file).parts[0] for file in files} == {"jit"}


def test_nothing_offered_has_a_modules_name():
    assert shadowing(ROOT / "npgrad") == []


@pytest.mark.parametrize("module", ["npgrad", "npgrad.deploy", "npgrad.policies"])
def test_importing_needs_numpy_alone(module):
    code = f"""
import sys
before = set(sys.modules)
import {module}
print(*{{name.split(".")[0] for name in set(sys.modules) - before}} - set(sys.stdlib_module_names) - {{"numpy"}})
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["npgrad"]


def test_importing_npgrad_imports_no_numpy():
    code = "import sys, npgrad; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# The checks themselves, on a package with faults planted in it


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A sound package of three floors, and a function that plants a file in it and gives the graph."""
    sound = {
        "__init__": "",
        "errors": "",
        "low": "from . import errors",
        "beside": "import numpy",
        "middle": "from .low import x",
        "high": "from . import middle\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from . import top",
        "top": "from .high import y",
    }
    folder = tmp_path / "planted"
    folder.mkdir()
    for name, text in sound.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)

    def plant(name="errors", text=""):
        (folder / f"{name}.py").write_text(text)
        return import_graph("planted")

    return plant


STEPS = [{"top"}, {"high"}, {"middle"}, {"low", "beside"}, {"errors"}]


def test_a_sound_package_passes(planted):
    graph = planted()
    assert climbing(graph, "planted", STEPS) == []
    assert reaching(graph, "planted", ["low"], ["beside"]) == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("low", "from . import high", "planted.low reaches planted.high"),
        ("low", "def f():\n    import planted.high", "planted.low reaches planted.high"),
        ("low", "from .beside import x", "planted.low reaches planted.beside"),
        ("errors", "from planted import beside", "planted.errors reaches planted.beside"),
    ],
)
def test_a_climbing_import_is_found(planted, name, text, found):
    assert found in climbing(planted(name, text), "planted", STEPS)


def test_an_indirect_import_is_found(planted):
    graph = planted("errors", "import planted.beside")
    assert reaching(graph, "planted", ["low"], ["beside"]) == ["planted.low → planted.errors → planted.beside"]


@pytest.mark.parametrize("init", ["from .returns import returns", "__all__ = ['returns']", "from .x import y as deep"])
def test_a_shadowing_name_is_found(tmp_path, init):
    folder = tmp_path / "planted"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "__init__.py").write_text("from .other import name")
    (folder / "returns.py").write_text("def returns():\n    pass\n")
    (folder / "__init__.py").write_text("from . import returns\nfrom .returns import other")
    assert shadowing(tmp_path) == []
    (folder / "__init__.py").write_text(init)
    assert shadowing(tmp_path) == ["planted.deep" if "deep" in init else "planted.returns"]


@pytest.mark.parametrize("line", ["import numba", "from numba.core import types", "importlib.import_module('numba')"])
def test_an_import_of_numba_is_found(tmp_path, line):
    (tmp_path / "a.py").write_text("import numbers\nfrom .numba import x\n'numba'")
    (tmp_path / "b.py").write_text(f"def f():\n    {line}\n")
    assert importing(tmp_path, "numba") == ["b.py"]
