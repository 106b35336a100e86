"""The critic of an actor-critic recipe: V_w or Q_w, its fit, and the advantages that follow from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from .. import noise
from ..compiled import compiled_function
from ..critics import (
    ActionValueCritic,
    Critic,
    Inputs,
    StateActionCritic,
    ValueCritic,
    Values,
    ridge_regression,
    visited,
)
from ..distributions import Categorical
from ..estimators import expected_values, sampled_values
from ..estimators.composition import composed_policy
from ..functions import MLP, Featured, Function, Linear, Polynomial
from ..noise.compiled import fill
from ..optimizers import Adam, Optimizer
from ..policies import Policy
from ..types import Array, Batch, FloatArray, IntArray
from .settings import CriticSettings

__all__ = [
    "ActionValueFit",
    "CriticFit",
    "QuadraticFeatures",
    "ValueFit",
    "action_value_of",
    "advantages",
    "epochs_of",
    "minibatches",
    "value_function",
    "value_of",
]


@dataclass(frozen=True)
class QuadraticFeatures:
    """φ(x, τ) = (x, x², τ, τ², τ³, 1) with τ = t/100: the features of Duan et al. 2016 for linear critics.

    The last column of the input is t.

    Examples
    --------
    >>> QuadraticFeatures(2)(np.array([[3.0, 100.0]]))
    array([[3., 9., 1., 1., 1., 1.]])
    """

    n_in: int

    @property
    def n_out(self) -> int:
        """2 (n_in − 1) + 4."""
        return 2 * (self.n_in - 1) + 4

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """φ, (T, n_out)."""
        x = np.asarray(obs)
        o, tau = x[:, :-1], x[:, -1:] / 100
        return np.concatenate([o, o**2, tau, tau**2, tau**3, np.ones_like(tau)], axis=1)


@dataclass(frozen=True)
class CriticFit(ABC):
    """A critic towards the λ-returns of a batch: in closed form where it is linear in w, else by minibatches.

    Parameters
    ----------
    function : Function
        Of the policy's inputs and, behind them, t where `with_time`.
    optimizer : Optimizer or None
        None: the closed form, with a ridge.
    n_epochs, batch_size : int
        Passes over the batch, and rows of a minibatch.
    with_time : bool
    ridge : float
        λ of the closed form.
    """

    function: Function
    optimizer: Optimizer | None = None
    n_epochs: int = 1
    batch_size: int = 64
    with_time: bool = False
    ridge: float = 1e-5

    def init(self, seed: int) -> dict[str, Array]:
        """w_0, and the optimiser's moments."""
        w = self.function.init(np.random.default_rng(noise.derive_seed(seed, noise.INIT, 1)))
        return {"w": w} | ({} if self.optimizer is None else self.optimizer.init(w))

    def inputs(self, policy: Policy) -> Inputs:
        """What the function gets: observations as the policy sees them."""

        def of(obs: Array, time: IntArray) -> Array:
            x = policy.inputs(obs)
            return np.concatenate([x, time[:, None]], axis=1) if self.with_time else x

        return of

    @abstractmethod
    def critic(self, group: dict[str, Array], policy: Policy) -> Critic:
        """The critic with w, as the policy sees observations."""

    def fit(
        self, group: dict[str, Array], policy: Policy, batch: Batch, targets: FloatArray, seed: int, iteration: int
    ) -> dict[str, Array]:
        """w after the fit to the batch, and the moments."""
        critic, w = self.critic(group, policy), group["w"]
        x, column = critic.x(batch), critic.columns(batch.act)
        if self.optimizer is None:
            taken = np.eye(self.function.n_out)[column]
            return {"w": ridge_regression(self.function.at(w, x).vjp_rows(taken), targets, ridge=self.ridge)}
        moments, function = {k: v for k, v in group.items() if k != "w"}, compiled_function(self.function)
        for parts in epochs_of(batch.n_steps, self.batch_size, seed, iteration, self.n_epochs, self.n_epochs):
            for rows in parts:
                lin = function.at(w, x[rows])
                picked, downhill = (np.arange(len(rows)), column[rows]), np.zeros_like(lin.y)
                downhill[picked] = 2 * (targets[rows] - lin.y[picked]) / len(rows)  # −∂/∂V of the mean of (G − V)²
                w, moments = self.optimizer.step(w, lin.vjp(downhill), moments)
        return {"w": w} | moments


@dataclass(frozen=True)
class ValueFit(CriticFit):
    """V_w(s)."""

    def critic(self, group: dict[str, Array], policy: Policy, theta: Array | None = None) -> ValueCritic:
        """V_w as the policy sees observations."""
        return ValueCritic(compiled_function(self.function), group["w"], self.inputs(policy))

    def joined(self, theta: Array, group: dict[str, Array]) -> Array:
        """φ, what climbs together: θ alone, where V has a network of its own."""
        return theta

    def parted(self, phi: Array, group: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """θ and the critic's group, from φ."""
        return phi, group

    def direction(self, g: Array, phi: Array, policy: Policy, obs: Array, targets: FloatArray) -> Array:
        """Where φ climbs: ĝ."""
        return g


@dataclass(frozen=True)
class ActionValueFit(CriticFit):
    """Q_w(s, a): one output an action where there are `n_actions`, else a function of (s, a).

    Parameters
    ----------
    n_actions : int
        0: actions are numbers.
    n_samples : int
        Actions that are drawn at each state for V, where they are numbers.
    """

    n_actions: int = 0
    n_samples: int = 1

    def critic(self, group: dict[str, Array], policy: Policy) -> ActionValueCritic | StateActionCritic:
        """Q_w as the policy sees observations."""
        kind = ActionValueCritic if self.n_actions else StateActionCritic
        return kind(compiled_function(self.function), group["w"], self.inputs(policy))

    def state_values(
        self, critic: ActionValueCritic | StateActionCritic, policy: Policy, theta: Array, batch: Batch, seed: int
    ) -> Values:
        """V(s) = E_{a~π} Q_w(s, a), exactly or by draws that are not those of the batch."""
        if isinstance(critic, ActionValueCritic):
            return expected_values(critic, policy, theta, batch)
        _, time, edges = visited(batch)
        place = noise.ACTION, np.repeat(batch.episode, np.diff(edges)), time
        seeds = [noise.derive_seed(seed, noise.ACTION, j) for j in range(self.n_samples)]
        z = np.stack([noise.draw(policy.draws, s, *place) for s in seeds])
        return sampled_values(critic, policy, theta, batch, z)


def minibatches(n: int, size: int, seed: int, iteration: int, epoch: int) -> list[IntArray]:
    """The rows 0 … n − 1 in an order that noise gives, in ⌊n/size⌋ (at least one) minibatches as equal as can be.

    Examples
    --------
    >>> [len(rows) for rows in minibatches(10, 4, seed=0, iteration=0, epoch=0)]
    [5, 5]
    """
    return epochs_of(n, size, seed, iteration, epoch, 1)[0]


def epochs_of(n: int, size: int, seed: int, iteration: int, first: int, count: int) -> list[list[IntArray]]:
    """`minibatches` of the epochs `first` … `first` + `count` − 1, from noise that is drawn at once."""
    epochs, rows = np.divmod(np.arange(count * n), n)
    u = np.empty((1, count * n))
    fill(noise.kind_codes(("uniform",)), seed, noise.SHUFFLE, iteration * 4096 + first + epochs, rows, u)
    orders = np.argsort(u.reshape(count, n), axis=1)
    edges = np.linspace(0, n, max(1, n // size) + 1).astype(np.int64).tolist()
    return [[order[lo:hi] for lo, hi in pairwise(edges)] for order in orders]


def value_of(policy: Policy, settings: CriticSettings) -> ValueFit:
    """The critic that settings ask for: a perceptron, or linear in the policy's inputs, their squares and time."""
    value = value_function(policy, settings.critic, settings.critic_hidden)
    if settings.critic != "mlp":
        return value
    return replace(value, optimizer=Adam(settings.critic_learning_rate), n_epochs=settings.critic_epochs)


def value_function(policy: Policy, critic: str, hidden: tuple[int, ...]) -> ValueFit:
    """V_w by its name, as yet without an optimiser."""
    d = policy.n_obs - policy.n_masked
    if critic == "mlp":
        return ValueFit(MLP(d, 1, hidden=hidden, last_scale=1.0))
    if critic == "linear":
        return ValueFit(Linear(d, 1))
    phi = QuadraticFeatures(d + 1)
    return ValueFit(Featured(phi, Linear(phi.n_out, 1, bias=False)), with_time=True)


def action_value_of(policy: Policy, settings: CriticSettings, n_samples: int = 1) -> ActionValueFit:
    """The critic of Q that settings ask for: linear ones are compatible with linear softmax policies (V3)."""
    distribution = composed_policy(policy).distribution
    d = policy.n_obs - policy.n_masked
    if isinstance(distribution, Categorical):
        n_actions, n_out = distribution.n, distribution.n
    else:
        n_actions, n_out, d = 0, 1, d + int(np.prod(distribution.act_shape))  # of (s, a)
    if settings.critic == "mlp":
        mlp = MLP(d, n_out, hidden=settings.critic_hidden, last_scale=1.0)
        optimizer = Adam(settings.critic_learning_rate)
        return ActionValueFit(mlp, optimizer, settings.critic_epochs, n_actions=n_actions, n_samples=n_samples)
    function: Function = Linear(d, n_out)
    if settings.critic == "quadratic":
        phi = Polynomial(d, degree=2)
        function = Featured(phi, Linear(phi.n_out, n_out, bias=False))
    return ActionValueFit(function, n_actions=n_actions, n_samples=n_samples)


def advantages(values: Values, adv: FloatArray, standardise: bool) -> tuple[FloatArray, FloatArray]:
    """A_t, standardised if wished, and the targets A_t + V(s_t) of the critic."""
    targets = adv + values.rows
    if standardise and len(adv) > 1:
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
    return adv, targets
