"""Whether a batch fits into memory."""

from __future__ import annotations

from pathlib import Path

from ..errors import InvalidInput

__all__ = ["free_memory", "require_room"]

LARGE = 1e8  # bytes, below which nobody asks


def free_memory() -> int | None:
    """Bytes that the system, and the control group of the process, would still give; None where nobody says."""
    found = []
    try:
        lines = dict(line.split(":") for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines())
        found.append(1024 * int(lines["MemAvailable"].split()[0]))
        group = Path("/sys/fs/cgroup")
        found.append(int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()))
    except (OSError, ValueError, KeyError):  # another system, or a group without a limit
        pass
    return min(found, default=None)


def require_room(n_rows: float, row_bytes: int, remedy: str) -> None:
    """Raise if so many rows would not fit into memory.

    Raises
    ------
    InvalidInput
        With the size, and what there is.

    Examples
    --------
    >>> require_room(1000, 56, "fewer will do")
    """
    size = n_rows * row_bytes
    if size > LARGE and (free := free_memory()) is not None and size > free:
        raise InvalidInput(
            f"the batch would have {n_rows:,.0f} rows and take {size / 1e9:,.1f} GB, and {free / 1e9:,.1f} are free; "
            f"{remedy}"
        )
