"""Certificates: what was checked, with which versions, under a hash; to attach to a paper."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import CorruptFile
from ..files import write_text
from .runner import Result

__all__ = ["check_certificate", "make_certificate", "write_certificate"]

FORMAT = 1
PACKAGES = ("numpy", "numba", "gymnasium")


def make_certificate(results: Iterable[Result], seed: int) -> dict[str, Any]:
    """Ids, residuals, versions and platform, with the SHA-256 of all of that.

    The same versions on the same machine give the same certificate: no date is in it. The hash tells whether the file
    was changed by accident; it is no signature.

    Examples
    --------
    >>> from npgrad.verify import run
    >>> c = make_certificate(run(["O1"]), seed=0)
    >>> c["results"][0]["id"], c["passed"], len(c["sha256"])
    ('O1', True, 64)
    """
    rows = list(results)
    kept = ("id", "kind", "residual", "tolerance", "passed", "residual_printed")
    content = {
        "format": FORMAT,
        "seed": seed,
        "passed": all(r.passed for r in rows),
        "results": [{k: v for k, v in r.as_json().items() if k in kept} for r in rows],
        "versions": {"npgrad": __version__, "python": platform.python_version(), **_versions()},
        "platform": {"system": platform.system(), "machine": platform.machine(), "libc": "-".join(platform.libc_ver())},
    }
    return {**content, "sha256": _hash(content)}


def write_certificate(path: str | Path, results: Iterable[Result], seed: int) -> None:
    """`make_certificate` into a file of JSON."""
    text = json.dumps(make_certificate(results, seed), indent=2, ensure_ascii=False, allow_nan=False)
    write_text(Path(path), text + "\n")


def check_certificate(certificate: str | Path | dict[str, Any]) -> dict[str, Any]:
    """The content of a certificate whose hash is right.

    Parameters
    ----------
    certificate : path or dict

    Raises
    ------
    CorruptFile
        If it is no certificate, or was changed after it was written.

    Examples
    --------
    >>> from npgrad.verify import run
    >>> c = make_certificate(run(["O1"]), seed=0)
    >>> check_certificate(c)["seed"]
    0
    >>> check_certificate({**c, "seed": 1})
    Traceback (most recent call last):
    npgrad.errors.CorruptFile: the certificate was changed: its content has the hash ..., it says ...
    """
    content = dict(certificate) if isinstance(certificate, dict) else _read(Path(certificate))
    said = content.pop("sha256", None)
    if said is None or content.get("format") != FORMAT:
        raise CorruptFile(f"no certificate of format {FORMAT}; expected what npgrad verify --certificate writes")
    found = _hash(content)
    if found != said:
        raise CorruptFile(f"the certificate was changed: its content has the hash {found[:12]}…, it says {said[:12]}…")
    return content


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CorruptFile(f"{path} is not JSON: {error}") from None
    if not isinstance(content, dict):
        raise CorruptFile(f"{path} holds a {type(content).__name__}, expected the object of a certificate")
    return content


def _hash(content: dict[str, Any]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
