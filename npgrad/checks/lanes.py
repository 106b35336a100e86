"""What reset and step promise of a block: to fill what is theirs, lane by lane, and to touch nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..types import Array, FloatArray
from .block import SENTINEL, Block, Functions
from .report import Recorder

__all__ = ["LANES", "Contract"]

LANES = 7
SOME = np.array([4, 1, 2])  # the lanes that are reset, in an order of their own
OTHERS = np.array([0, 3, 5, 6])


class Contract:
    """The promises of one environment.

    Parameters
    ----------
    env : CompiledEnv
    functions : pair of functions
        Its reset and step, compiled.
    rng : numpy.random.Generator
    """

    def __init__(self, env: Any, functions: Functions, rng: np.random.Generator) -> None:
        self._env, self._functions, self._rng = env, functions, rng

    def check(self, record: Recorder, plain: Functions) -> None:
        """All of them; `plain` are the same functions as plain Python."""
        for statement, violations in (
            ("nothing is written outside of the arrays", self.written_outside),
            ("params, lanes, act and noise are not written to", self.inputs_written),
            ("reset writes to its lanes alone", self.other_lanes_reset),
            ("reset fills state and obs of its lanes", self.unfilled_at_reset),
            ("reset takes column k of noise for lanes[k]", self.differing_alone_at_reset),
            ("step fills obs, rew and terminated", self.unfilled_at_step),
            ("step gives the same again from the same state, action and noise", self.differing_again),
            ("step moves each lane independently of the others", self.differing_alone_at_step),
        ):
            record.none(statement, violations)
        record.equal(
            "compiled and plain Python agree",
            lambda: self._after_step(self._functions),
            lambda: self._after_step(plain),
            1e-9,
        )

    def written_outside(self) -> Iterator[str]:
        """Arrays with something written before or after them."""
        block, act, noise = self._before_step()
        block.step(act, noise)
        block.reset(np.array([0, LANES - 1]), block.reset_noise(self._rng, 2))
        for name in block.touched():
            yield f"something is written before or after {name}: an index is out of bounds"

    def inputs_written(self) -> Iterator[str]:
        """Inputs that differ afterwards."""
        block, act, noise = self._before_step()
        lanes, start = SOME.copy(), block.reset_noise(self._rng, len(SOME))
        given = {"params": block.params, "act": act, "noise of step": noise, "lanes": lanes, "noise of reset": start}
        before = {name: array.copy() for name, array in given.items()}
        block.step(act, noise)
        block.reset(lanes, start)
        yield from (f"{name} is written to" for name in given if not _same(given[name], before[name]))

    def other_lanes_reset(self) -> Iterator[str]:
        """What a reset of some lanes does to others."""
        block = self._reset_some()
        for name in ("state", "obs"):
            written = OTHERS[(block.arrays[name][:, OTHERS] != SENTINEL).any(axis=0)]
            if len(written):
                yield f"{name} of lanes {written.tolist()} is written, when {SOME.tolist()} are reset"

    def unfilled_at_reset(self) -> Iterator[str]:
        """Entries of its lanes that a reset leaves as they were."""
        block = self._reset_some()
        yield from (f"{what} is not written" for name in ("state", "obs") for what in block.unwritten(name, SOME))

    def differing_alone_at_reset(self) -> Iterator[str]:
        """Arrays that differ when lanes are reset one by one."""
        block, single = self._block(), self._block()
        noise = block.reset_noise(self._rng, len(SOME))
        block.reset(SOME.copy(), noise)
        for k, lane in enumerate(SOME):
            single.reset(np.array([lane]), np.ascontiguousarray(noise[:, k : k + 1]))
        for name in ("state", "obs"):
            if not _close(block.arrays[name][:, SOME], single.arrays[name][:, SOME]):
                yield f"{name} differs when lanes are reset one by one: noise[:, lane] taken for noise[:, k]?"

    def unfilled_at_step(self) -> Iterator[str]:
        """Entries that a step leaves as they were."""
        block, act, noise = self._before_step()
        again = block.like(block.all_lanes())
        for b, terminated in ((block, True), (again, False)):
            b.obs[...], b.rew[...], b.terminated[...] = SENTINEL, SENTINEL, terminated
            b.step(act, noise)
        yield from (f"{what} is not written" for name in ("obs", "rew") for what in block.unwritten(name))
        if (block.terminated != again.terminated).any():
            yield "terminated is not written: it stays as it was"

    def differing_again(self) -> Iterator[str]:
        """Arrays that differ after the same step."""
        block, act, noise = self._before_step()
        first, second = block.like(block.all_lanes()), block.like(block.all_lanes())
        first.step(act, noise)
        second.step(act, noise)
        yield from (f"{name} differs" for name in first.arrays if not _same(first.arrays[name], second.arrays[name]))

    def differing_alone_at_step(self) -> Iterator[str]:
        """Lanes that move otherwise when stepped alone."""
        block, act, noise = self._before_step()
        singles = [block.like(np.array([i])) for i in range(LANES)]
        block.step(act, noise)
        for i, single in enumerate(singles):
            single.step(np.ascontiguousarray(act[:, i : i + 1]), np.ascontiguousarray(noise[:, i : i + 1]))
            for name, array in block.arrays.items():
                if not _close(array[..., i], single.arrays[name][..., 0]):
                    yield f"{name} of lane {i} differs when it is stepped alone"

    def _after_step(self, functions: Functions) -> FloatArray:
        """State, obs and rew after the same steps by other functions."""
        rng = np.random.default_rng(0)
        block, act, noise = Contract(self._env, functions, rng)._before_step(steps=0)
        with np.errstate(all="ignore"):
            block.step(act, noise)
        after: FloatArray = np.nan_to_num(np.concatenate([block.state.ravel(), block.obs.ravel(), block.rew]))
        return after

    def _block(self) -> Block:
        return Block(self._env, self._functions, LANES)

    def _reset_some(self) -> Block:
        block = self._block()
        block.reset(SOME.copy(), block.reset_noise(self._rng, len(SOME)))
        return block

    def _before_step(self, steps: int = 3) -> tuple[Block, FloatArray, FloatArray]:
        """A block some steps after its reset, with an action and noise for the next."""
        block = self._block()
        block.reset(block.all_lanes(), block.reset_noise(self._rng, LANES))
        for _ in range(steps):
            block.step(block.actions(self._rng), block.step_noise(self._rng))
        return block, block.actions(self._rng), block.step_noise(self._rng)


def _same(a: Array, b: Array) -> bool:
    return bool(np.array_equal(a, b, equal_nan=a.dtype.kind == "f"))


def _close(a: Array, b: Array) -> bool:
    return bool(np.allclose(a, b, rtol=1e-12, atol=1e-12, equal_nan=True))
