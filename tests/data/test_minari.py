"""Minari's datasets, by its own library."""

from dataclasses import replace

import numpy as np
import pytest

from npgrad.data import Demonstrations, from_minari, record, to_minari
from npgrad.errors import CorruptFile, InvalidInput, MissingExtra
from npgrad.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from tests.data.test_demonstrations import batch_of

minari = pytest.importorskip("minari")
pytest.importorskip("h5py")
pytestmark = pytest.mark.filterwarnings("ignore")  # Minari's, of what is not said about a dataset


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))


def test_what_is_written_comes_back():
    found = record(lambda obs: int(obs[2] > 0), "CartPole-v1", 3)
    dataset = to_minari(found, "npgrad/cartpole/lean-v0", author="me")
    assert dataset.total_steps == found.n_steps
    back = from_minari("npgrad/cartpole/lean-v0")
    assert back.info == {"minari": "npgrad/cartpole/lean-v0", "env_id": "CartPole-v1"}
    for name in ("obs", "act", "rew", "offsets", "terminated", "truncated", "final_obs"):
        np.testing.assert_array_equal(getattr(back.batch, name), getattr(found.batch, name))
    assert (back.observation_space, back.action_space) == (found.observation_space, found.action_space)


@pytest.mark.parametrize(
    ("seen", "obs"),
    [
        (Dict({"a": Box(-9.0, 9.0, (1,)), "b": Discrete(2)}), [[1.5, 0, 1], [2.5, 1, 0], [3.5, 0, 1]]),
        (Tuple((Discrete(2, start=1), Box(-9.0, 9.0, (1,)))), [[1, 0, 7], [0, 1, 8], [0, 1, 9]]),
    ],
)
@pytest.mark.parametrize(
    ("space", "act"),
    [(MultiDiscrete((2, 3)), [[0, 2], [1, 0], [1, 1]]), (MultiBinary(2), [[0, 1], [1, 1], [0, 0]])],
)
def test_structured_spaces(seen, obs, space, act):
    batch = batch_of(act, width=3, obs=np.array(obs, dtype=np.float64))
    final = np.stack([batch.obs[1], batch.obs[2]])
    found = Demonstrations(replace(batch, final_obs=final), seen, space)
    back = from_minari(to_minari(found, "npgrad/try-v0"))
    np.testing.assert_array_equal(back.batch.obs, found.batch.obs)
    np.testing.assert_array_equal(back.batch.act, found.batch.act)
    np.testing.assert_array_equal(back.batch.final_obs, final)


def test_errors():
    found = record(lambda obs: 0, "CartPole-v1", 1)
    to_minari(found, "npgrad/left-v0")
    with pytest.raises(InvalidInput, match=r"Minari does not take npgrad/left-v0: .*already exists"):
        to_minari(found, "npgrad/left-v0")
    with pytest.raises(InvalidInput, match="there is no Minari dataset npgrad/none-v0 here; fetch it with"):
        from_minari("npgrad/none-v0")
    masked = Demonstrations(batch_of([0, 1, 0], width=4), Box(-1.0, 1.0, (2,)), Discrete(2), n_masked=2)
    with pytest.raises(InvalidInput, match="masks over actions have no place"):
        to_minari(masked, "npgrad/masked-v0")


def test_a_dataset_that_is_no_demonstration():
    from minari.data_collector import EpisodeBuffer

    from npgrad.spaces import to_gymnasium

    buffer = EpisodeBuffer(
        observations=np.full((3, 2), np.nan, dtype=np.float32),
        actions=np.zeros(2, dtype=np.int64),
        rewards=np.ones(2),
        terminations=np.array([False, True]),
        truncations=np.zeros(2, dtype=bool),
    )
    minari.create_dataset_from_buffers(
        "npgrad/nan-v0",
        [buffer],
        observation_space=to_gymnasium(Box(-1.0, 1.0, (2,))),
        action_space=to_gymnasium(Discrete(2)),
    )
    with pytest.raises(CorruptFile, match=r"npgrad/nan-v0 holds no demonstrations: obs\[0, 0\] is nan"):
        from_minari("npgrad/nan-v0")


def test_without_minari(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtra, match=r"pip install 'npgrad\[minari\]'"):
        from_minari("npgrad/none-v0")
