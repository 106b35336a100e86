"""To and from Minari, the collection of offline datasets of the Farama Foundation, by its own library."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..deploy.codec import encode
from ..errors import CorruptFile, InvalidInput, MissingExtra, NpgradError
from ..spaces import Dict, Discrete, Space, Tuple, flat_dim, flatten_batch, from_gymnasium, to_gymnasium, unflatten
from ..types import Array, Batch
from .acting import flat_actions
from .demonstrations import Demonstrations

__all__ = ["from_minari", "to_minari"]


def from_minari(dataset: Any, *, download: bool = False) -> Demonstrations:
    """The episodes of a Minari dataset.

    Parameters
    ----------
    dataset : str or minari.MinariDataset
        Its id, as in "mujoco/hopper/expert-v0", or itself.
    download : bool, optional
        Fetch one that is not here.

    Raises
    ------
    MissingExtra
        If Minari is not installed.
    InvalidInput
        If there is no such dataset here.
    CorruptFile
        If it holds what is no demonstration.
    """
    minari = _minari()
    if isinstance(dataset, str):
        try:
            dataset = minari.load_dataset(dataset, download=download)
        except FileNotFoundError as error:
            raise InvalidInput(
                f"there is no Minari dataset {dataset} here; fetch it with: minari download {dataset}"
            ) from error
    name = dataset.spec.dataset_id
    observation_space, action_space = (
        from_gymnasium(s) for s in (dataset.observation_space, dataset.action_space)
    )  # fmt: skip
    obs, act, rew, final, ends = [], [], [], [], []
    try:
        for episode in dataset.iterate_episodes():
            seen = flatten_batch(observation_space, episode.observations)  # (T + 1, d)
            if len(seen) != len(episode.rewards) + 1:
                raise InvalidInput(f"episode {episode.id} has {len(seen)} observations, expected one more than rewards")
            obs.append(seen[:-1])
            final.append(seen[-1])
            act.append(flat_actions(action_space, np.asarray(episode.actions)))
            rew.append(np.asarray(episode.rewards, dtype=np.float64))
            ends.append((bool(episode.terminations[-1]), bool(episode.truncations[-1])))
        if not rew:
            raise InvalidInput("it has no episode")
        terminated, truncated = np.array(ends).T
        batch = Batch(
            obs=np.concatenate(obs),
            act=np.concatenate(act),
            rew=np.concatenate(rew),
            logp=np.zeros(sum(map(len, rew))),
            offsets=np.cumsum([0, *map(len, rew)]),
            terminated=terminated,
            truncated=truncated & ~terminated,
            final_obs=np.stack(final),
        )
        spec = dataset.env_spec
        info = {"minari": name} | ({} if spec is None else {"env_id": spec.id})
        return Demonstrations(batch, observation_space, action_space, info)
    except NpgradError as error:
        raise CorruptFile(f"Minari dataset {name} holds no demonstrations: {error}") from error


def to_minari(demonstrations: Demonstrations, dataset_id: str, **described: Any) -> Any:
    """Write a Minari dataset, where Minari keeps them.

    Parameters
    ----------
    demonstrations : Demonstrations
    dataset_id : str
        As in "npgrad/cartpole/expert-v0".
    **described
        For `minari.create_dataset_from_buffers`: author, description, ….

    Returns
    -------
    minari.MinariDataset

    Raises
    ------
    MissingExtra
        If Minari is not installed.
    InvalidInput
        If the id is taken or no id, or observations have masks behind them.
    """
    minari = _minari()
    import gymnasium
    from minari.data_collector import EpisodeBuffer

    if demonstrations.n_masked:
        raise InvalidInput("masks over actions have no place in a Minari dataset; keep these in a file of their own")
    batch, buffers = demonstrations.batch, []
    shape = demonstrations.action_space.shape  # type: ignore[union-attr]  # action spaces are not composite
    for i in range(batch.n_episodes):
        rows = slice(batch.offsets[i], batch.offsets[i + 1])
        n = rows.stop - rows.start
        last = np.arange(n) == n - 1
        buffers.append(
            EpisodeBuffer(
                id=i,
                observations=_structured(
                    demonstrations.observation_space, np.concatenate([batch.obs[rows], batch.final_obs[i : i + 1]])
                ),
                actions=batch.act[rows].reshape((n, *shape)),
                rewards=batch.rew[rows],
                terminations=last & batch.terminated[i],
                truncations=last & batch.truncated[i],
            )
        )
    info: dict[str, Array] = {}
    described = {"description": json.dumps(encode(dict(demonstrations.info), "info", info))} | described
    env_id = demonstrations.info.get("env_id")
    known = env_id in gymnasium.registry
    try:
        return minari.create_dataset_from_buffers(
            dataset_id,
            buffers,
            env=env_id if known else None,
            observation_space=to_gymnasium(demonstrations.observation_space),
            action_space=to_gymnasium(demonstrations.action_space),
            **described,
        )
    except ValueError as error:
        raise InvalidInput(f"Minari does not take {dataset_id}: {error}") from error


def _structured(space: Space, rows: Array) -> Any:
    """Flat rows in the form of Minari's buffers: every leaf has a first axis of their number."""
    if isinstance(space, Dict | Tuple):
        named = space.spaces if isinstance(space, Dict) else tuple((str(i), p) for i, p in enumerate(space.spaces))
        cuts = np.cumsum([flat_dim(part) for _, part in named])[:-1]
        parts = [_structured(part, x) for (_, part), x in zip(named, np.split(rows, cuts, axis=1), strict=True)]
        return (
            {name: part for (name, _), part in zip(named, parts, strict=True)}
            if isinstance(space, Dict)
            else tuple(parts)
        )
    if isinstance(space, Discrete):
        return space.start + rows.argmax(axis=1).astype(space.dtype)
    return np.stack([unflatten(space, row) for row in rows])


def _minari() -> Any:
    try:
        import h5py  # noqa: F401  # it is how Minari keeps them
        import minari
    except ImportError as error:
        raise MissingExtra(f"Minari is not installed ({error}); pip install 'npgrad[minari]'") from error
    return minari
