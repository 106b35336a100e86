"""What exported C needs of a device: flash and RAM as `size` counts them, and the deepest stack."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path

from ...errors import InvalidInput, MissingExtra

__all__ = ["CORTEX_M4", "Footprint", "measure"]

CORTEX_M4 = ("-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16")
STRICT = ("-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror")


@dataclass(frozen=True)
class Footprint:
    """Bytes of flash (code and constants), of static RAM, and of stack below each function that is called from outside.

    The C library's functions (sqrt, …) are not counted.
    """

    compiler: str
    flash: int
    ram: int
    stack: dict[str, int]

    def __str__(self) -> str:
        stacks = ", ".join(f"{name} {size}" for name, size in sorted(self.stack.items(), key=lambda item: -item[1]))
        return f"{self.compiler}: flash {self.flash} bytes, RAM {self.ram}, stack {stacks}"


def measure(
    source: str | PathLike[str], compiler: str = "arm-none-eabi-gcc", flags: Sequence[str] = CORTEX_M4
) -> Footprint:
    """Compile exported C with all warnings as errors, and count.

    Parameters
    ----------
    source : path
        The C file.
    compiler : str
        A gcc; its `size` stands beside it.
    flags : sequence of str
        For the device.

    Raises
    ------
    MissingExtra
        If there is no such compiler.
    InvalidInput
        If it does not compile; the message is the compiler's.
    """
    if shutil.which(compiler) is None:
        raise MissingExtra(
            f"there is no {compiler}; on Debian: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi"
        )
    with tempfile.TemporaryDirectory() as folder:
        base = [compiler, *flags, *STRICT, "-Os", "-c", str(Path(source).resolve()), "-o", "a.o"]
        done = subprocess.run([*base, "-fcallgraph-info=su"], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise InvalidInput(f"{source} does not compile with {compiler}: {done.stderr.strip()[:2000]}")
        (graph,) = Path(folder).glob("*.ci")
        size = compiler.removesuffix("gcc") + "size"
        counted = subprocess.run([size, "a.o"], cwd=folder, capture_output=True, text=True, check=True).stdout
        text, data, bss = (int(n) for n in counted.splitlines()[1].split()[:3])
        return Footprint(" ".join([compiler, *flags[:1]]), text + data, data + bss, _stacks(graph.read_text()))


def _stacks(graph: str) -> dict[str, int]:
    """The deepest stack below each function that no other calls, from gcc's call graph."""
    own = {
        title: int(size)
        for title, size in re.findall(r'^node: \{ title: "([^"]+)" label: "[^"]*\\n(\d+) bytes', graph, re.MULTILINE)
    }
    calls: dict[str, set[str]] = {title: set() for title in own}
    for a, b in re.findall(r'^edge: \{ sourcename: "([^"]+)" targetname: "([^"]+)"', graph, re.MULTILINE):
        if b in own:
            calls[a].add(b)

    @cache
    def deepest(title: str) -> int:
        return own[title] + max((deepest(other) for other in calls[title]), default=0)

    called = set().union(*calls.values())
    return {title.rpartition(":")[2]: deepest(title) for title in own if title not in called}
