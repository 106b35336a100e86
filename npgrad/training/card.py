"""What an agent is: its policy, where it comes from, what it is worth, how fast it acts here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..deploy import Agent
from ..functions import MLP, Concatenated, Constant, Fixed, Function, Linear
from ..policies import ComposedPolicy
from ..spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple
from ..spaces.kinds import spread
from .evaluation import rounded

__all__ = ["an_observation", "card", "card_text", "seconds_per_action", "short_function", "short_space"]

CALLS = 2000


def card(agent: Agent, file: Path | None = None) -> dict[str, Any]:
    """All there is to say of an agent, ready for JSON.

    Parameters
    ----------
    agent : Agent
    file : path, optional
        Where it is from.

    Examples
    --------
    >>> from npgrad import REINFORCE
    >>> facts = card(REINFORCE("CartPole-v1").agent)
    >>> facts["parameters"], facts["observation_space"][:3], facts["env_id"]
    (10, 'Box', 'CartPole-v1')
    """
    policy, info = agent.policy, dict(agent.info)
    facts: dict[str, Any] = {}
    if file is not None:
        facts |= {"file": str(file), "bytes": file.stat().st_size}
    if isinstance(policy, ComposedPolicy):
        facts |= {"function": str(policy.function), "distribution": str(policy.distribution)}
        facts["reads"] = f"{short_function(policy.function)} → {policy.distribution}"
    else:
        facts["policy_class"] = type(policy).__name__
    facts |= {
        "parameters": policy.n_params,
        "dtype": str(agent.theta.dtype),
        "memory": policy.n_memory,
        "masked_actions": policy.n_masked,
        "normalised": getattr(policy, "normaliser", None) is not None,
        "observation_space": str(policy.observation_space),
        "observes": short_space(policy.observation_space),
        "action_space": str(policy.action_space),
        "acts": short_space(policy.action_space),
        "action_map": str(policy.action_map),
        "seconds_per_action": seconds_per_action(agent),
    }
    facts |= _plain(info)
    return facts


def card_text(facts: Mapping[str, Any], usual: Mapping[str, Any] | None = None) -> str:
    """The same as lines to read; settings that are as `usual` are left out."""
    get = facts.get
    more = [
        f"{facts['parameters']:,} parameters, {facts['dtype']}",
        f"memory of {facts['memory']} numbers" if facts["memory"] else "",
        f"a mask over {facts['masked_actions']} actions" if facts["masked_actions"] else "",
        "observations normalised" if facts["normalised"] else "",
    ]
    lines = [("policy", get("reads") or get("policy_class")), ("", ", ".join(filter(None, more)))]
    lines += [("observes", facts["observes"]), ("acts", facts["acts"])]
    if facts["action_map"] != "Identity()":
        lines.append(("", f"by {facts['action_map']}"))
    origin = [get("env_id"), get("algo"), f"seed {get('seed')}" if "seed" in facts else None]
    origin.append(f"{get('timesteps'):,} timesteps" if get("timesteps") else None)
    lines.append(("from", ", ".join(str(x) for x in origin if x) or "unknown"))
    if get("mean_return") is not None:
        mean, *ends = rounded(facts["mean_return"], *(get("ci95") or ()))
        interval = f"95% interval {' to '.join(ends)}; " if ends else ""
        episodes = f"{get('eval_episodes', 'some')} greedy episodes"
        lines.append(("score", f"{mean}  ({interval}{episodes})"))
    else:
        lines.append(("score", "not evaluated"))
    for name, called in (("env_kwargs", "made with"), ("hyperparameters", "settings"), ("versions", "versions")):
        known = _plain(usual or {}) if name == "hyperparameters" else {}
        own = {key: value for key, value in (get(name) or {}).items() if key not in known or known[key] != value}
        if own:
            rest = "; others as usual" if known else ""
            lines.append((called, ", ".join(f"{key} {_shown(value)}" for key, value in own.items()) + rest))
    lines.append(("speed", f"{1e6 * facts['seconds_per_action']:.1f} µs an action here, median of {CALLS:,}"))
    if "file" in facts:
        lines.append(("file", f"{facts['file']}, {facts['bytes']:,} bytes"))
    return "\n".join(f"{name:<9} {text}" for name, text in lines)


def seconds_per_action(agent: Agent, calls: int = CALLS) -> float:
    """Median time of one action on NumPy, for one observation as the environment gives it."""
    obs, memory = an_observation(agent.policy.observation_space), None
    seconds = []
    for _ in range(calls + calls // 10):
        began = time.perf_counter()
        if agent.policy.n_memory:
            _, memory = agent.predict(obs, memory, deterministic=True)
        else:
            agent.act(obs)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[calls // 10 :])


def an_observation(space: Space) -> Any:
    """Some x of a space: zeros, or what is nearest to them within the bounds.

    Examples
    --------
    >>> an_observation(Dict({"door": Discrete(2, start=5), "place": Box(1.0, 9.0, shape=(2,))}))
    {'door': 5, 'place': array([1., 1.], dtype=float32)}
    """
    match space:
        case Box():
            return np.clip(np.zeros(space.shape), *space.bounds()).astype(space.dtype)
        case Discrete():
            return space.start
        case MultiDiscrete():
            return np.array(spread(space.start, space.shape), dtype=space.dtype)
        case MultiBinary():
            return np.zeros(space.shape, dtype=space.dtype)
        case Dict():
            return {name: an_observation(part) for name, part in space.spaces}
        case Tuple():
            return tuple(an_observation(part) for part in space.parts)


def short_function(function: Function) -> str:
    """A function in a few words: its widths.

    Examples
    --------
    >>> short_function(Concatenated((MLP(3, 1, hidden=(8, 8)), Constant(3, 1))))
    'MLP 3-8-8-1 tanh + Constant 1'
    """
    match function:
        case Concatenated():
            return " + ".join(map(short_function, function.parts))
        case MLP():
            widths = (function.n_in, *function.hidden, function.n_out)
            return f"MLP {'-'.join(map(str, widths))} {function.activation}"
        case Linear():
            return f"Linear {function.n_in}-{function.n_out}"
        case Constant() | Fixed():
            return f"{type(function).__name__} {function.n_out}"
        case _:
            return str(function)


def short_space(space: Space) -> str:
    """A space in a few words.

    Examples
    --------
    >>> short_space(Box(-3.0, 3.0, (2,))), short_space(Box([-1.0, 0.0], np.inf)), short_space(Discrete(4, start=1))
    ('Box (2,) float32 in [-3, 3]', 'Box (2,) float32', 'Discrete 4 from 1')
    """
    match space:
        case Box(low=float() as low, high=float() as high) if np.isfinite([low, high]).all():
            return f"Box {space.shape} {space.dtype} in [{low:g}, {high:g}]"
        case Box():
            return f"Box {space.shape} {space.dtype}"
        case Discrete():
            return f"Discrete {space.n}{f' from {space.start}' if space.start else ''}"
        case Dict():
            return f"Dict of {', '.join(f'{name}: {short_space(part)}' for name, part in space.spaces)}"
        case Tuple():
            return f"Tuple of {', '.join(map(short_space, space.parts))}"
        case _:
            return str(space)


def _shown(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return "×".join(map(str, value))
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else "none" if value is None else str(value)


def _plain(value: Any) -> Any:
    """For JSON: arrays and tuples as lists."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
