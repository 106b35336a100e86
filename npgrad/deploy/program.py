"""A composed policy taken apart: affine layers, numbers and heads with their places in flat arrays.

This is what the exports write out and what the lean path of `Agent.act` follows. All numbers stand in one array:

    numbers = (θ, fixed values)       W, b and constants are stretches of it
    y       = columns, one stretch a part
    latent  = columns, one stretch a head;  noise likewise
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..distributions import Bernoulli, Categorical, DiagonalGaussian, Distribution, Product
from ..errors import InvalidInput
from ..functions import MLP, Concatenated, Constant, Fixed, Function, Linear
from ..policies import Clip, ComposedPolicy, Identity, Normaliser, Offset, Rescale, Tanh
from ..spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Space, Tuple, entry, flat_dim
from ..spaces.kinds import spread
from ..types import Array

__all__ = ["Chain", "Head", "Layer", "Numbers", "Program", "entry_names"]


@dataclass(frozen=True)
class Layer:
    """z = x W + b, then an activation; W (n, m) begins at ``weights`` in the numbers, b (m,) at ``bias``."""

    n: int
    m: int
    weights: int
    bias: int | None
    activation: str


@dataclass(frozen=True)
class Chain:
    """Layers one after the other; the last one gives the columns of y from ``first`` on."""

    layers: tuple[Layer, ...]
    first: int

    @property
    def last(self) -> int:
        """The column of y behind its own."""
        return self.first + self.layers[-1].m


@dataclass(frozen=True)
class Numbers:
    """``n`` columns of y from ``first`` on that are the numbers from ``at`` on, whatever the observation."""

    at: int
    n: int
    first: int

    @property
    def last(self) -> int:
        """The column of y behind its own."""
        return self.first + self.n


@dataclass(frozen=True)
class Head:
    """One distribution: its columns of y, of the latent action and of the noise begin at ``y``, ``act``, ``noise``.

    ``kind`` is "categorical" (n logits, one column, one uniform), "gaussian" (n means and n log σ, n columns, n
    normals) or "bernoulli" (n logits, n columns, n uniforms).
    """

    kind: str
    n: int
    y: int
    act: int
    noise: int

    @property
    def columns(self) -> int:
        """How many columns of the latent action it gives."""
        return 1 if self.kind == "categorical" else self.n


_HEADS: dict[type, str] = {Categorical: "categorical", DiagonalGaussian: "gaussian", Bernoulli: "bernoulli"}
_MAPS = (Identity, Offset, Clip, Rescale, Tanh)


@dataclass(frozen=True, eq=False)
class Program:
    """What a policy computes, as plain data.

    Parameters
    ----------
    policy : ComposedPolicy
        Whose spaces, normaliser and action map hold as they are.
    numbers : array, shape (P + F,)
        θ and behind it the fixed values, in the dtype of θ.
    parts : tuple of Chain or Numbers
        They fill y, (K,), column by column.
    heads : tuple of Head
        They turn y and noise into the latent action.
    """

    policy: ComposedPolicy
    numbers: Array
    parts: tuple[Chain | Numbers, ...]
    heads: tuple[Head, ...]

    @classmethod
    def of(cls, policy: Any, theta: Array) -> Program:
        """Take a policy apart.

        Parameters
        ----------
        policy : Policy
        theta : array, shape (P,)

        Raises
        ------
        InvalidInput
            If it has a part that is not among those listed; the message names it. Subclasses are not taken for their
            bases.

        Examples
        --------
        >>> from npgrad.policies import make_policy
        >>> policy = make_policy((Box(-1.0, 1.0, (3,)), Discrete(2)), "linear")
        >>> Program.of(policy, np.zeros(8)).parts
        (Chain(layers=(Layer(n=3, m=2, weights=0, bias=6, activation='identity'),), first=0),)
        """
        if type(policy) is not ComposedPolicy:
            raise _unsupported("policy", policy, (ComposedPolicy,))
        if type(policy.action_map) not in _MAPS:
            raise _unsupported("action map", policy.action_map, _MAPS)
        if policy.normaliser is not None and type(policy.normaliser) is not Normaliser:
            raise _unsupported("normaliser", policy.normaliser, (Normaliser,))
        heads = tuple(_heads(policy.distribution))
        if policy.n_masked and [head.kind for head in heads] != ["categorical"]:
            raise _unsupported("distribution behind a mask", policy.distribution, (Categorical,))
        _require_actions(policy.action_space, policy.distribution)
        parts, fixed = _parts(policy.function, policy.n_params)
        numbers = np.concatenate([theta, np.array(fixed, dtype=theta.dtype)])
        numbers.flags.writeable = False
        return cls(policy, numbers, parts, heads)

    @property
    def n_in(self) -> int:
        """d, the columns of an observation without its mask."""
        return self.policy.function.n_in

    @property
    def n_y(self) -> int:
        """K, the columns of y."""
        return self.policy.distribution.n_y

    @property
    def integral(self) -> bool:
        """Whether actions are integers."""
        return self.policy.distribution.act_dtype.kind == "i"

    @property
    def n_act(self) -> int:
        """Columns of an action."""
        return sum(head.columns for head in self.heads)

    @property
    def names(self) -> tuple[str, ...]:
        """What each entry of a flat observation is called, the mask's last."""
        masks = (f"1 if action {j} is allowed, else 0" for j in range(self.policy.n_masked))
        return *entry_names(self.policy.observation_space), *masks

    def weights(self, layer: Layer) -> tuple[Array, Array | None]:
        """W (n, m) and b (m,) of a layer, views of the numbers."""
        W = self.numbers[layer.weights : layer.weights + layer.n * layer.m].reshape(layer.n, layer.m)
        return W, None if layer.bias is None else self.numbers[layer.bias : layer.bias + layer.m]


def _parts(function: Function, n_params: int) -> tuple[tuple[Chain | Numbers, ...], list[float]]:
    """The parts of y, and the fixed values that stand behind θ."""
    parts: list[Chain | Numbers] = []
    fixed: list[float] = []
    start = first = 0  # in θ, in y
    for leaf in _leaves(function):
        match leaf:
            case Constant():
                parts.append(Numbers(start, leaf.n_out, first))
            case Fixed():
                parts.append(Numbers(n_params + len(fixed), leaf.n_out, first))
                fixed += leaf.values
            case Linear():
                bias = start + leaf.n_in * leaf.n_out if leaf.bias else None
                parts.append(Chain((Layer(leaf.n_in, leaf.n_out, start, bias, "identity"),), first))
            case MLP():
                parts.append(Chain(tuple(_layers(leaf, start)), first))
        start += leaf.n_params
        first += leaf.n_out
    return tuple(parts), fixed


def _leaves(function: Function) -> Iterator[Linear | MLP | Constant | Fixed]:
    """The functions that concatenations hold, however deep."""
    if type(function) is Concatenated:
        for part in function.parts:
            yield from _leaves(part)
    elif isinstance(function, Linear | MLP | Constant | Fixed) and type(function) in (Linear, MLP, Constant, Fixed):
        yield function
    else:
        raise _unsupported("function", function, (Linear, MLP, Concatenated, Constant, Fixed))


def _layers(mlp: MLP, start: int) -> Iterator[Layer]:
    widths = (mlp.n_in, *mlp.hidden, mlp.n_out)
    for i, (n, m) in enumerate(pairwise(widths)):
        yield Layer(n, m, start, start + n * m, mlp.activation if i < len(mlp.hidden) else "identity")
        start += (n + 1) * m


def _heads(distribution: Distribution) -> Iterator[Head]:
    y = act = noise = 0
    for part in _factors(distribution):
        n = part.k if isinstance(part, DiagonalGaussian) else part.n
        yield Head(_HEADS[type(part)], n, y, act, noise)
        y, act, noise = y + part.n_y, act + (part.act_shape or (1,))[0], noise + len(part.draws)


def _factors(distribution: Distribution) -> Iterator[Categorical | DiagonalGaussian | Bernoulli]:
    """The distributions that products hold, however deep."""
    if type(distribution) is Product:
        for part in distribution.parts:
            yield from _factors(part)
    elif isinstance(distribution, Categorical | DiagonalGaussian | Bernoulli) and type(distribution) in _HEADS:
        yield distribution
    else:
        raise _unsupported("distribution", distribution, (*_HEADS, Product))


def _require_actions(space: Space, distribution: Distribution) -> None:
    """Raise unless the space takes the kind of number that the distribution draws."""
    integral = distribution.act_dtype.kind == "i"
    fits = isinstance(space, Discrete | MultiDiscrete | MultiBinary) if integral else isinstance(space, Box)
    if not fits or (isinstance(space, Box) and np.dtype(space.dtype).kind != "f"):
        raise InvalidInput(f"{type(distribution).__name__} with action space {space} cannot be exported")


def entry_names(space: Space, name: str = "obs") -> Iterator[str]:
    """What each entry of a flattened x says, in order.

    Examples
    --------
    >>> list(entry_names(Dict({"door": Discrete(2), "place": Box(0.0, 9.0, (1,))})))
    ["1 if obs['door'] is 0, else 0", "1 if obs['door'] is 1, else 0", "obs['place'][0]"]
    """
    match space:
        case Dict() | Tuple():
            keys: tuple[Any, ...] = space.names if isinstance(space, Dict) else tuple(range(len(space.parts)))
            for key, part in zip(keys, space.parts, strict=True):
                yield from entry_names(part, f"{name}[{key!r}]")
        case Discrete():
            yield from (f"1 if {name} is {space.start + i}, else 0" for i in range(space.n))
        case MultiDiscrete():
            starts = spread(space.start, space.shape)
            for n, (place, start) in zip(space.nvec, np.ndenumerate(starts), strict=True):
                at = f"{name}[{', '.join(map(str, place))}]"
                yield from (f"1 if {at} is {start + i}, else 0" for i in range(n))
        case _:
            yield from (entry(space, i, name) for i in range(flat_dim(space)))


def _unsupported(what: str, part: object, known: tuple[type, ...]) -> InvalidInput:
    listed = ", ".join(cls.__name__ for cls in known)
    return InvalidInput(f"{what} {type(part).__name__} cannot be exported; supported are {listed}")
