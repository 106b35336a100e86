"""Archives of arrays: an `.npz` that NumPy can read, read here without trusting it.

Members are stored uncompressed, so none is larger than the file; a `.npy` header is matched against the one form that
NumPy writes, never evaluated, and its shape and dtype against the bytes that follow, before anything is allocated.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from ..errors import CorruptFile
from ..types import Array

__all__ = ["HEADER", "read_archive", "write_archive"]

HEADER = "header.json"
MAX_HEADER = 8 * 2**20  # bytes
MAX_MEMBERS = 4096

_NPY = re.compile(  # format 1.0 as NumPy writes it: magic, length, and a dict with dtype and shape
    rb"\x93NUMPY\x01\x00..\{'descr': '(<f[248]|<[iu][248]|\|[iub]1)', 'fortran_order': False, "
    rb"'shape': \(((?:\d{1,18}, ?)*(?:\d{1,18})?)\), \} *\n",
    re.DOTALL,
)


def write_archive(file: IO[bytes], header: str, arrays: Mapping[str, Array]) -> None:
    """Write a header and named arrays; the same contents give the same bytes.

    Raises
    ------
    CorruptFile
        If there is more than `read_archive` would take.
    """
    members = {HEADER: header.encode()} | {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    if len(members) > MAX_MEMBERS or len(members[HEADER]) > MAX_HEADER:
        raise CorruptFile(
            f"{len(members)} members and a header of {len(members[HEADER])} bytes are too much for an agent file, "
            f"which has at most {MAX_MEMBERS} and {MAX_HEADER}; keep large numbers in arrays"
        )
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # dated 1980


def read_archive(path: Path) -> tuple[str, dict[str, Array]]:
    """The header and the arrays of a file.

    Raises
    ------
    CorruptFile
        If the file is anything else than what `write_archive` writes.
    """
    data = path.read_bytes()
    try:
        header, members = _members(data)
        return header.decode(), {name.removesuffix(".npy"): _array(name, member) for name, member in members.items()}
    except CorruptFile:
        raise
    except Exception as error:  # zipfile alone raises some ten kinds of exceptions on damaged archives
        raise CorruptFile(f"it is no intact archive ({type(error).__name__}: {error})") from error


def _members(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The header and the other members of an archive, together no larger than it."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:  # in memory: a file would set aside what a member claims
        infos = {info.filename: info for info in archive.infolist()}
        if HEADER not in infos:
            raise CorruptFile(f"it has no member {HEADER}")
        if len(archive.infolist()) > min(len(infos), MAX_MEMBERS):
            raise CorruptFile(f"it has {len(archive.infolist())} members, expected at most {MAX_MEMBERS}, named apart")
        if any(info.compress_type != zipfile.ZIP_STORED for info in infos.values()):
            raise CorruptFile("it has compressed members, expected stored ones")
        if sum(info.file_size for info in infos.values()) > len(data) or infos[HEADER].file_size > MAX_HEADER:
            raise CorruptFile("its members claim more bytes than there are, or its header is too long")
        content = {name: archive.read(info) for name, info in infos.items()}
        return content.pop(HEADER), content


def _npy(array: Array) -> bytes:
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<")).reshape(array.shape)
    out = io.BytesIO()
    np.lib.format.write_array(out, little, version=(1, 0), allow_pickle=False)
    return out.getvalue()


def _array(name: str, data: bytes) -> Array:
    """The array in one member, as a read-only view of its bytes."""
    match = _NPY.match(data)
    if match is None:
        raise CorruptFile(f"member {name} is no array of plain numbers")
    dtype, shape = np.dtype(match[1].decode()), tuple(int(n) for n in match[2].split(b",") if n.strip())
    if math.prod(shape) * dtype.itemsize != len(data) - match.end():
        raise CorruptFile(f"member {name} holds {len(data) - match.end()} bytes, not the {shape} {dtype} it claims")
    if dtype.kind == "b" and data[match.end() :].strip(b"\x00\x01"):
        raise CorruptFile(f"member {name} has booleans that are neither 0 nor 1")
    return np.frombuffer(data, dtype, offset=match.end()).reshape(shape)
