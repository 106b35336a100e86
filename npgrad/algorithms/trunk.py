"""A shared trunk (10-703): V is one more output of the policy's perceptron, behind the same hidden layers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..critics import ValueCritic, squared_error
from ..errors import InvalidInput
from ..functions import MLP, Concatenated, Function
from ..policies import ComposedPolicy, Policy
from ..types import Array, Batch, FloatArray
from .value import ValueFit

__all__ = ["SharedTrunk", "trunk_of"]


@dataclass(frozen=True)
class SharedTrunk(ValueFit):
    """V(s) = h(s) w + b with h the last hidden layer of π_θ: its parameters are the first of θ, and a head (w, b).

    Both climb together:   φ = (θ, w, b),   φ ← φ + α [(ĝ, 0) − c ∂/∂φ 1/n Σ_t (G_t − V(s_t))²]

    Parameters
    ----------
    function : MLP
        V, with the policy's hidden layers.
    n_shared : int
        How many of θ's parameters they have, the first of θ and of V's.
    vf_coef : float
        c.
    """

    n_shared: int = 0
    vf_coef: float = 0.5

    def init(self, seed: int) -> dict[str, Array]:
        """The head."""
        return {"w": super().init(seed)["w"][self.n_shared :]}

    def critic(self, group: dict[str, Array], policy: Policy, theta: Array | None = None) -> ValueCritic:
        """V with the trunk of θ."""
        if theta is None:
            raise InvalidInput("V shares the policy's hidden layers, and θ is not given")
        return ValueCritic(self.function, np.concatenate([theta[: self.n_shared], group["w"]]), self.inputs(policy))

    def joined(self, theta: Array, group: dict[str, Array]) -> Array:
        """φ = (θ, w, b)."""
        return np.concatenate([theta, group["w"]])

    def parted(self, phi: Array, group: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """θ and the head."""
        theta, head = np.split(phi, [len(phi) - len(group["w"])])
        return theta, {"w": head}

    def direction(self, g: Array, phi: Array, policy: Policy, obs: Array, targets: FloatArray) -> Array:
        """(ĝ, 0) − c ∂/∂φ 1/n Σ_t (G_t − V(s_t))² on some rows."""
        n, P = self.n_shared, len(g)
        weights = np.full(len(obs), self.vf_coef / len(obs))
        w = np.concatenate([phi[:n], phi[P:]])
        _, error = squared_error(self.function, w, policy.inputs(obs), targets, weights=weights)
        both = np.concatenate([g, -error[n:]])
        both[:n] -= error[:n]
        return both

    def fit(
        self, group: dict[str, Array], policy: Policy, batch: Batch, targets: FloatArray, seed: int, iteration: int
    ) -> dict[str, Array]:
        """The head as it is: it was fitted along the way."""
        return group


def trunk_of(policy: Policy, vf_coef: float) -> SharedTrunk:
    """The critic that shares the policy's hidden layers.

    Raises
    ------
    InvalidInput
        If the policy is no perceptron with hidden layers.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Box, Discrete
    >>> policy = make_policy((Box(-1.0, 1.0, (4,)), Discrete(2)), "mlp", hidden=(8,))
    >>> trunk = trunk_of(policy, 0.5)
    >>> trunk.n_shared, len(trunk.init(0)["w"])
    (40, 9)
    """
    function: Function | None = policy.function if isinstance(policy, ComposedPolicy) else None
    if type(function) is Concatenated:
        function = function.parts[0]
    if not isinstance(function, MLP) or type(function) is not MLP or not function.hidden:
        raise InvalidInput("shared_trunk takes a policy that is a perceptron with hidden layers; choose policy='mlp'")
    shared = sum(layer.n_params for layer in function.layers[:-1])
    value = MLP(function.n_in, 1, hidden=function.hidden, activation=function.activation, last_scale=1.0)
    return SharedTrunk(value, n_shared=shared, vf_coef=vf_coef)
