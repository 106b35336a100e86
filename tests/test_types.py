"""Batch and State: validated once, read-only, and put together and apart without loss."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad.errors import InvalidInput, NonFinite
from npgrad.types import Batch, State, concatenate

lengths = st.lists(st.integers(1, 4), min_size=1, max_size=4)


def make_batch(lengths=(2, 3), seed=0, **changes):
    rng, n, steps = np.random.default_rng(seed), len(lengths), sum(lengths)
    ends = rng.integers(0, 3, n)  # terminated, truncated or cut
    arrays = {
        "obs": rng.normal(size=(steps, 2)),
        "act": rng.integers(0, 3, steps),
        "rew": rng.normal(size=steps),
        "logp": rng.normal(size=steps),
        "offsets": np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        "terminated": ends == 0,
        "truncated": ends == 1,
        "final_obs": rng.normal(size=(n, 2)),
        "episode": rng.integers(0, 9, n),
        "start": rng.integers(0, 9, n),
    }
    return Batch(**(arrays | changes))


def same(a, b):
    return all(
        np.array_equal(getattr(a, f.name), getattr(b, f.name)) and getattr(a, f.name).dtype == getattr(b, f.name).dtype
        for f in fields(Batch)
    )


@given(lengths)
def test_counts_times_and_returns(lengths):
    batch = make_batch(lengths)
    assert (batch.n_episodes, batch.n_steps) == (len(lengths), sum(lengths))
    assert batch.lengths.tolist() == list(lengths)
    segment, time, returns = [], [], []
    row = 0
    for i, length in enumerate(lengths):
        total = 0.0
        for t in range(length):
            segment.append(i)
            time.append(batch.start[i] + t)
            total += batch.rew[row]
            row += 1
        returns.append(total)
    assert batch.segment.tolist() == segment
    assert batch.time.tolist() == time
    np.testing.assert_allclose(batch.returns(), returns, rtol=1e-12, atol=1e-12)


@given(lengths, lengths)
def test_concatenate_and_select_are_inverses(first, second):
    a, b = make_batch(first, 1), make_batch(second, 2)
    both = concatenate([a, b])
    assert both.n_steps == a.n_steps + b.n_steps
    assert same(both.select(slice(a.n_episodes)), a)
    assert same(both.select(slice(a.n_episodes, None)), b)
    singles = [both.select([i]) for i in range(both.n_episodes)]
    assert same(concatenate(singles), both)


def test_concatenate_edges():
    batch = make_batch()
    assert concatenate([batch]) is batch
    with pytest.raises(InvalidInput, match="no batches"):
        concatenate([])


@given(lengths, st.randoms(use_true_random=False))
def test_select_takes_any_order(lengths, random):
    batch = make_batch(lengths)
    order = [random.randrange(len(lengths)) for _ in range(3)]
    chosen = batch.select(order)
    for j, i in enumerate(order):
        rows, mine = slice(*batch.offsets[i : i + 2]), slice(*chosen.offsets[j : j + 2])
        for name in ("obs", "act", "rew", "logp"):
            assert np.array_equal(getattr(chosen, name)[mine], getattr(batch, name)[rows])
        for name in ("terminated", "truncated", "final_obs", "episode", "start"):
            assert np.array_equal(getattr(chosen, name)[j], getattr(batch, name)[i])


def test_select_nothing():
    batch = make_batch().select([])
    assert (batch.n_episodes, batch.n_steps) == (0, 0)
    assert batch.obs.shape == (0, 2)
    assert batch.returns().shape == (0,)


def test_arrays_are_read_only_and_the_callers_stay_writable():
    rew = np.zeros(5)
    batch = make_batch(rew=rew)
    for f in fields(Batch):
        with pytest.raises(ValueError, match="read-only"):
            getattr(batch, f.name)[0] = 0
    rew[0] = 1.0


def test_defaults_and_dtypes():
    batch = make_batch(episode=None, start=None, rew=[1, 2, 3, 4, 5], terminated=[1, 0])
    assert batch.episode.tolist() == [0, 1]
    assert batch.start.tolist() == [0, 0]
    assert (batch.rew.dtype, batch.terminated.dtype, batch.start.dtype) == (np.float64, np.bool_, np.int64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": [0, 2, 4]}, "must rise from 0 to the number of steps, 5"),
        ({"offsets": [1, 2, 5]}, "must rise from 0"),
        ({"offsets": []}, "must rise from 0"),
        ({"offsets": [[0, 2, 5]]}, "offsets"),
        ({"offsets": [0, 5, 5]}, "segment 1 is empty or runs backwards"),
        ({"offsets": [0, 6, 5]}, "segment 1 is empty or runs backwards"),
        ({"obs": np.zeros(5)}, r"obs has shape \(5,\), expected \(5, any\); flatten"),
        ({"obs": np.zeros((4, 2))}, r"obs has shape \(4, 2\)"),
        ({"final_obs": np.zeros((2, 3))}, r"final_obs has shape \(2, 3\), expected \(2, 2\)"),
        ({"act": np.zeros(4, int)}, r"act has shape \(4,\), expected \(5,\) or \(5, k\)"),
        ({"act": np.zeros((5, 1, 1))}, "act has shape"),
        ({"rew": np.zeros((5, 1))}, r"rew has shape \(5, 1\)"),
        ({"logp": np.zeros(4)}, r"logp has shape \(4,\), expected \(5,\)"),
        ({"terminated": [True]}, r"terminated has shape \(1,\), expected \(2,\)"),
        ({"truncated": [True] * 3}, "truncated has shape"),
        ({"start": [0]}, "start has shape"),
        ({"episode": [0] * 3}, "episode has shape"),
    ],
)
def test_wrong_shapes(changes, message):
    with pytest.raises(InvalidInput, match=message):
        make_batch(**changes)


@pytest.mark.parametrize("name", ["obs", "final_obs", "rew", "logp"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named(name, value):
    array = np.array(getattr(make_batch(), name))
    array[1, ...] = value
    with pytest.raises(NonFinite, match=rf"{name}\[1.*{value}"):
        make_batch(**{name: array})
    with pytest.raises(NonFinite, match=r"act\[0, 0\]"):
        make_batch(act=np.full((5, 2), value))


@pytest.mark.parametrize(
    ("terminated", "truncated", "start", "complete"),
    [
        ([True, True], [False, False], [0, 0], True),
        ([True, False], [False, True], [0, 0], True),
        ([True, False], [False, False], [0, 0], False),  # segment 1 was cut
        ([True, True], [False, False], [0, 3], False),  # segment 1 began elsewhere
    ],
)
def test_complete_episodes(terminated, truncated, start, complete):
    batch = make_batch(terminated=terminated, truncated=truncated, start=start)
    if complete:
        batch.require_complete()
    else:
        with pytest.raises(InvalidInput, match="segment 1 is not a complete episode"):
            batch.require_complete()


def make_state():
    arrays = {"adam/m": np.ones(2), "adam/v": np.zeros(2), "critic/theta": np.ones(1)}
    return State(seed=2**63, iteration=3, timesteps=2**40, episodes=5, theta=np.array([0.5, -1.0]), arrays=arrays)


def test_a_state_survives_as_arrays(tmp_path):
    state = make_state()
    np.savez(tmp_path / "state.npz", **state.as_arrays())
    with np.load(tmp_path / "state.npz", allow_pickle=False) as file:
        other = State.from_arrays(dict(file))
    for name in ("seed", "iteration", "timesteps", "episodes"):
        assert getattr(other, name) == getattr(state, name)
        assert type(getattr(other, name)) is int
    assert np.array_equal(other.theta, state.theta)
    assert set(other.arrays) == set(state.arrays)
    assert all(np.array_equal(other.arrays[k], v) for k, v in state.arrays.items())


def test_groups_of_a_state():
    state = make_state()
    assert set(state.group("adam")) == {"m", "v"}
    assert state.group("ada") == {}
    changed = state.with_groups(adam={"m": np.array([3.0])}, moments={"count": np.asarray(7)})
    assert set(changed.arrays) == {"adam/m", "critic/theta", "moments/count"}  # a group is replaced as a whole
    assert changed.arrays["adam/m"] == [3.0]
    assert set(state.arrays) == {"adam/m", "adam/v", "critic/theta"}
    assert (changed.seed, changed.iteration) == (state.seed, state.iteration)


def test_what_is_known_to_be_finite_is_not_looked_at():
    """A rollout has looked while the numbers were in the cache; final_obs are few and looked at again."""
    rew = np.array([0.0, 0.0, np.inf, 0.0, 0.0])
    assert make_batch(rew=rew, finite=True).rew is not rew
    with pytest.raises(NonFinite, match=r"rew\[2\] is inf"):
        replace(make_batch(finite=True), rew=rew)
    with pytest.raises(NonFinite, match="final_obs"):
        make_batch(final_obs=np.full((2, 2), np.nan), finite=True)
