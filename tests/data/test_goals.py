"""Hindsight: goals that were reached, in the columns of those that were wanted."""

import numpy as np
import pytest

from npgrad.data import GoalColumns, goal_columns, relabel
from npgrad.errors import InvalidInput
from npgrad.spaces import Box, Dict, Discrete
from npgrad.types import Batch

COLUMNS = GoalColumns(desired=(1,), achieved=(0,))


def batch_of(lengths):
    """Achieved is 0, 1, 2, … over all episodes, with the last one behind each; desired −1."""
    x, n = np.arange(sum(lengths) + len(lengths)), sum(lengths)
    offsets = np.cumsum([0, *lengths])
    final = offsets[1:] + np.arange(len(lengths))
    return Batch(
        obs=np.stack([np.delete(x, final), np.full(n, -1)], axis=1).astype(np.float32),
        act=np.arange(n),
        rew=np.arange(n),
        logp=np.zeros(n),
        offsets=offsets,
        terminated=np.ones(len(lengths)),
        truncated=np.zeros(len(lengths)),
        final_obs=np.stack([x[final], np.full(len(lengths), -1)], axis=1).astype(np.float32),
    )


def test_final():
    batch = batch_of((3, 1, 2))
    found = relabel(batch, COLUMNS, which="final")
    np.testing.assert_array_equal(found.obs, [[0, 3], [1, 3], [2, 3], [4, 5], [6, 8], [7, 8]])
    np.testing.assert_array_equal(found.final_obs, [[3, 3], [5, 5], [8, 8]])
    np.testing.assert_array_equal(found.act, batch.act)
    assert (batch.obs[:, 1] == -1).all()  # as it was
    assert found.obs.dtype == np.float32


def test_future_goals_are_uniform_over_what_follows():
    batch = batch_of((3, 2))
    found = relabel(batch, COLUMNS, copies=4000, seed=1)
    assert found.n_episodes == 8000
    pairs = found.obs.reshape(4000, 5, 2)
    np.testing.assert_array_equal(pairs[:, :, 0], np.tile([0, 1, 2, 4, 5], (4000, 1)))
    for row, after in enumerate([(1, 2, 3), (2, 3), (3,), (5, 6), (6,)]):
        values, counts = np.unique(pairs[:, row, 1], return_counts=True)
        np.testing.assert_array_equal(values, after)
        np.testing.assert_allclose(counts / 4000, 1 / len(after), atol=4 * 0.5 / np.sqrt(4000))


def test_the_seed_alone_decides():
    batch = batch_of((9, 9))
    a, b, c = (relabel(batch, COLUMNS, seed=seed).obs for seed in (1, 1, 2))
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


def test_gymnasiums_goal_interface():
    goal = Discrete(3)
    space = Dict({"achieved_goal": goal, "desired_goal": goal, "observation": Box(0.0, 1.0, (2,))})
    assert goal_columns(space) == GoalColumns((3, 4, 5), (0, 1, 2))
    for other, words in (
        (Box(0.0, 1.0, (2,)), "expected a Dict with the keys observation, desired_goal, achieved_goal"),
        (Dict({"achieved_goal": goal, "desired_goal": goal}), "expected a Dict"),
        (
            Dict({"achieved_goal": goal, "desired_goal": Discrete(2), "observation": goal}),
            "expected one space",
        ),
    ):
        with pytest.raises(InvalidInput, match=words):
            goal_columns(other)


@pytest.mark.parametrize(("desired", "achieved"), [((), ()), ((1,), (0, 2)), ((1, 1), (0, 2)), ((1,), (1,))])
def test_columns_that_do_not_fit(desired, achieved):
    with pytest.raises(InvalidInput):
        GoalColumns(desired, achieved)


def test_errors():
    batch = batch_of((2,))
    with pytest.raises(InvalidInput, match="too many for observations of 2 numbers"):
        relabel(batch, GoalColumns((5,), (0,)))
    with pytest.raises(InvalidInput, match="which is 'last'"):
        relabel(batch, COLUMNS, which="last")
    with pytest.raises(InvalidInput, match="copies is 0"):
        relabel(batch, COLUMNS, copies=0)
