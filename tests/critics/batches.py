"""Batches of segments that end in each of the three ways."""

import numpy as np

from npgrad.types import Batch

ENDS = {"terminated": (True, False), "truncated": (False, True), "cut": (False, False)}


def random_batch(lengths, seed, d=2, n_actions=3):
    rng = np.random.default_rng(seed)
    t, n = sum(lengths), len(lengths)
    how = [list(ENDS.values())[k] for k in rng.integers(3, size=n)]
    return Batch(
        obs=rng.normal(size=(t, d)),
        act=rng.integers(n_actions, size=t),
        rew=rng.normal(size=t),
        logp=np.log(rng.random(t)),
        offsets=np.concatenate([[0], np.cumsum(lengths)]),
        terminated=[x for x, _ in how],
        truncated=[x for _, x in how],
        final_obs=rng.normal(size=(n, d)),
        start=rng.integers(4, size=n),
    )


def by_segment(batch):
    """(rows, i) of each segment."""
    return [(slice(a, b), i) for i, (a, b) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True))]
