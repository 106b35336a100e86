"""What a measurement depends on besides the code: processor, versions, BLAS, threads."""

from __future__ import annotations

import importlib
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

__all__ = ["facts", "n_cores"]


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
        "processor": f"{_processor()}, {n_cores()} cores",
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
