"""Mutated agent files: each is loaded or refused, in little memory and time, and executes nothing.

    python tests/deploy/fuzz.py [--files N] [--seed S]

Mutations are of four kinds: bytes anywhere; cuts; the JSON header, in an archive that is intact; the arrays likewise,
with the checksum put right, so that whatever is behind it is reached. The process may not grow by more than 256 MB, no
file may take longer than five seconds, and an audit hook ends it if anything is imported, compiled, executed, started
or opened.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import io
import json
import os
import pathlib
import resource
import signal
import sys
import tempfile
import time
import zipfile

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from npgrad.deploy import archive, load_agent
from npgrad.deploy.file import _digest
from npgrad.errors import CorruptFile, NpgradError
from tests.deploy.test_codec import hostile, places, put
from tests.deploy.zoo import POLICIES, agent_of

GROWTH = 256 << 20  # bytes
LIMIT = 5  # seconds for one file
SILENT = ("object.", "sys._getframe", "marshal.", "gc.", "builtins.id", "sys.excepthook")
NPY = [b"'|O'", b"(9999999999999,)", b"(-1,)", b"'fortran_order': True", b"\x93NUMPY\x02\x00", b"'<f2'", b"(1, " * 40]


def members(data: bytes) -> dict[str, bytes]:
    """What is in an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(content: dict[str, bytes]) -> bytes:
    """An intact archive."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, data in content.items():
            file.writestr(zipfile.ZipInfo(name), data)
    return out.getvalue()


def of_bytes(data: bytes, rng: np.random.Generator) -> bytes:
    """Some bytes others, or a bit turned."""
    mutant = np.frombuffer(data, np.uint8).copy()
    at = rng.integers(0, len(mutant), rng.integers(1, 4))
    mutant[at] = rng.integers(0, 256, len(at)) if rng.random() < 0.5 else mutant[at] ^ (1 << rng.integers(8))
    return mutant.tobytes()


def of_length(data: bytes, rng: np.random.Generator) -> bytes:
    """Cut at the end or in the middle, or a piece twice."""
    a, b = sorted(rng.integers(0, len(data), 2).tolist())
    return (data[:a], data[:a] + data[b:], data[:b] + data[a:])[rng.integers(3)]


def of_header(data: bytes, rng: np.random.Generator) -> bytes:
    """Values of the JSON header replaced by hostile ones, or its text changed."""
    content = members(data)
    header = json.loads(content[archive.HEADER])
    if rng.random() < 0.2:
        return packed(content | {archive.HEADER: of_bytes(content[archive.HEADER], rng)})
    for place in rng.permutation(np.array(list(places(header)), dtype=object))[: rng.integers(1, 4)]:
        try:
            put(header, place, hostile[rng.integers(len(hostile))])
        except (KeyError, IndexError, TypeError):  # the place went with the change before
            continue
    return packed(content | {archive.HEADER: json.dumps(header).encode()})


def of_arrays(data: bytes, rng: np.random.Generator) -> bytes:
    """An array's bytes changed, or what its header says; the checksum fits if it is still an array."""
    content = members(data)
    name = [n for n in content if n != archive.HEADER][rng.integers(len(content) - 1)]
    if rng.random() < 0.5:
        cut = int(rng.integers(10, 110))
        content[name] = content[name][:cut] + NPY[rng.integers(len(NPY))] + content[name][cut:]
    else:
        content[name] = content[name][:128] + of_bytes(content[name][128:] or b"\0", rng)
    try:
        arrays = {n.removesuffix(".npy"): archive._array(n, member) for n, member in content.items() if n[-1] == "y"}
    except CorruptFile:
        return packed(content)
    header = json.loads(content[archive.HEADER])
    return packed(content | {archive.HEADER: json.dumps(header | {"sha256": _digest(arrays)}).encode()})


MUTATIONS = (of_bytes, of_length, of_header, of_arrays)


def guard() -> None:
    """From here on the process dies if it grows, lingers, or does anything but compute."""
    with open("/proc/self/statm") as file:
        size = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + GROWTH, size + GROWTH))

    def hook(event: str, args: tuple[object, ...]) -> None:
        if not event.startswith(SILENT):
            os.write(2, f"audit event {event} {args}\n".encode())
            os._exit(3)

    sys.addaudithook(hook)


def outcome(path: str) -> str:
    """What comes of a file: "refused" or "loaded", and then it acts or says why not."""
    try:
        agent = load_agent(path)
    except CorruptFile as error:
        if "MemoryError" in str(error):
            raise
        return "refused"
    with contextlib.suppress(NpgradError), np.errstate(all="ignore"):
        agent.step(np.zeros((1, agent.policy.n_obs)), None)
    return "loaded"


def main() -> None:
    """Mutate, load, and print what came of it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for name in POLICIES:
            agent_of(name).save(f"{folder}/agent.npz")
            files.append(pathlib.Path(folder, "agent.npz").read_bytes())
            load_agent(f"{folder}/agent.npz")
    counts, longest = collections.Counter[str](), 0.0
    signal.signal(signal.SIGALRM, lambda *_: os.abort())
    mutant = b""
    pathlib.Path.read_bytes = lambda self: mutant  # type: ignore[method-assign]
    guard()
    for i in range(options.files):
        mutate = MUTATIONS[i % len(MUTATIONS)]
        mutant = mutate(files[rng.integers(len(files))], rng)
        signal.alarm(LIMIT)
        began = time.perf_counter()
        counts[f"{mutate.__name__.removeprefix('of_')} {outcome('agent.npz')}"] += 1
        longest = max(longest, time.perf_counter() - began)
        signal.alarm(0)
    print(f"{options.files} files, seed {options.seed}: " + ", ".join(f"{k} {v}" for k, v in sorted(counts.items())))
    print(f"longest {1e3 * longest:.1f} ms, largest size {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


if __name__ == "__main__":
    main()
