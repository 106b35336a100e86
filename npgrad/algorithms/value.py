"""The critic of an actor-critic recipe: V_w, its fit, and the advantages that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .. import noise
from ..critics import ValueCritic, Values, features, ridge_regression
from ..functions import MLP, Featured, Function, Linear
from ..optimizers import Adam, Optimizer
from ..policies import Policy
from ..types import Array, Batch, FloatArray, IntArray
from .settings import CriticSettings

__all__ = ["QuadraticFeatures", "ValueFit", "advantages", "minibatches", "value_of"]


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
class ValueFit:
    """V_w towards the λ-returns of a batch: in closed form where V is linear in w, else by minibatches.

    Parameters
    ----------
    function : Function
        V_w, of the policy's inputs and, behind them, t where `with_time`.
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

    def critic(self, group: dict[str, Array], policy: Policy) -> ValueCritic:
        """V_w as the policy sees observations."""

        def inputs(obs: Array, time: IntArray) -> Array:
            x = policy.inputs(obs)
            return np.concatenate([x, time[:, None]], axis=1) if self.with_time else x

        return ValueCritic(self.function, group["w"], inputs)

    def fit(
        self, group: dict[str, Array], policy: Policy, batch: Batch, targets: FloatArray, seed: int, iteration: int
    ) -> dict[str, Array]:
        """w after the fit to the batch, and the moments."""
        critic = self.critic(group, policy)
        if self.optimizer is None:
            phi, _ = features(critic, batch)
            return {"w": ridge_regression(phi, targets, ridge=self.ridge)}
        w, moments = group["w"], {k: v for k, v in group.items() if k != "w"}
        x = critic.x(batch)
        for epoch in range(self.n_epochs):
            for rows in minibatches(batch.n_steps, self.batch_size, seed, iteration, self.n_epochs + epoch):
                lin = self.function.at(w, x[rows])
                downhill = 2 * (targets[rows, None] - lin.y) / len(rows)  # −∂/∂V of the mean of (G − V)²
                w, moments = self.optimizer.step(w, lin.vjp(downhill), moments)
        return {"w": w} | moments


def minibatches(n: int, size: int, seed: int, iteration: int, epoch: int) -> list[IntArray]:
    """The rows 0 … n − 1 in an order that noise gives, in ⌊n/size⌋ (at least one) minibatches as equal as can be.

    Examples
    --------
    >>> [len(rows) for rows in minibatches(10, 4, seed=0, iteration=0, epoch=0)]
    [5, 5]
    """
    order = np.argsort(noise.uniform(1, seed, noise.SHUFFLE, iteration * 4096 + epoch, np.arange(n))[:, 0])
    return np.array_split(order, max(1, n // size))


def value_of(policy: Policy, settings: CriticSettings) -> ValueFit:
    """The critic that settings ask for: a perceptron, or linear in the policy's inputs, their squares and time."""
    d = policy.n_obs - policy.n_masked
    if settings.critic == "mlp":
        mlp = MLP(d, 1, hidden=settings.critic_hidden, last_scale=1.0)
        return ValueFit(mlp, Adam(settings.critic_learning_rate), settings.critic_epochs)
    if settings.critic == "linear":
        return ValueFit(Linear(d, 1))
    phi = QuadraticFeatures(d + 1)
    return ValueFit(Featured(phi, Linear(phi.n_out, 1, bias=False)), with_time=True)


def advantages(values: Values, adv: FloatArray, standardise: bool) -> tuple[FloatArray, FloatArray]:
    """A_t, standardised if wished, and the targets A_t + V(s_t) of the critic."""
    targets = adv + values.rows
    if standardise and len(adv) > 1:
        adv = (adv - adv.mean()) / (adv.std() + 1e-8)
    return adv, targets
