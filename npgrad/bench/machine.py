"""What a measurement depends on besides the code: processor, versions, BLAS, threads."""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from ..pool import usable_cores

__all__ = ["busy_cores", "facts"]


def busy_cores(seconds: float = 0.2) -> float:
    """How many cores other programs use, as far as the system says: while this process sleeps; 0 where it does not.

    Examples
    --------
    >>> 0 <= busy_cores(0.01) <= (os.cpu_count() or 1)
    True
    """
    before = _ticks()
    time.sleep(seconds)
    after = _ticks()
    if before is None or after is None or after[1] <= before[1]:
        return 0.0
    idle, total = after[0] - before[0], after[1] - before[1]
    return (os.cpu_count() or 1) * max(0.0, 1 - idle / total)


def _ticks() -> tuple[int, int] | None:
    """Idle and all ticks of all cores since the machine started."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    ticks = [int(each) for each in stat.read_text().split("\n", 1)[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)


def facts() -> dict[str, str]:
    """Machine, versions, BLAS kernel and thread settings, as text by name.

    Examples
    --------
    >>> found = facts()
    >>> found["Python"].startswith("3."), "NumPy" in found
    (True, True)
    """
    importlib.import_module("numpy")  # loads the BLAS that is asked for below
    blas = [
        f"{pool['internal_api']} {pool['version']}, kernel {pool.get('architecture', 'unknown')}"
        for pool in importlib.import_module("threadpoolctl").threadpool_info()
        if pool["user_api"] == "blas"
    ]
    names = ("OPENBLAS_CORETYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NPGRAD_JIT")
    given = [f"{name}={os.environ[name]}" for name in names if name in os.environ]
    found = {
        "processor": f"{_processor()}, {usable_cores()} cores",
        "system": platform.platform(terse=True),
        "Python": platform.python_version(),
        "npgrad": _version("npgrad"),
        "NumPy": _version("numpy"),
        "numba": _version("numba"),
        "BLAS": "; ".join(blas) or "unknown",
        "BLAS threads": "1 inside npgrad's own threads",
        "environment variables": ", ".join(given) or "none that concern BLAS or threads",
    }
    return found


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if sys.platform == "linux" and info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
