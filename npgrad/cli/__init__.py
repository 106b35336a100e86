"""The command line: `npgrad train`, `npgrad eval`, `npgrad list`."""

from .app import main

__all__ = ["main"]
