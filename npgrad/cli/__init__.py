"""The command line: `npgrad train`, `npgrad eval`, `npgrad list`."""

try:
    from .app import main
except ModuleNotFoundError as error:
    if error.name != "click":
        raise
    raise SystemExit("the command line needs more than NumPy, click for one: pip install npgrad") from error

__all__ = ["main"]
