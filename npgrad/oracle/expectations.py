"""The exact mean and covariance of any estimator: its value on every batch there can be, weighted by probability."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..policies import Policy
from ..types import Array, Batch, FloatArray
from ..validation import as_real_array, require_finite, require_shape
from .enumeration import Trajectories, trajectories
from .mdp import TabularMDP
from .tables import Spec, is_policy

__all__ = ["ExactMoments", "exact_moments", "pair_estimates", "separable_moments", "u_statistic"]

Estimator = Callable[[Policy, Array, Batch], Any]  # gives ĝ (P,), or something with a `gradient` (P,)


@dataclass(frozen=True, eq=False)
class ExactMoments:
    """Mean and covariance of an estimator ĝ.

    Parameters
    ----------
    mean : array, shape (P,)
        E ĝ.
    covariance : array, shape (P, P)
        E (ĝ − E ĝ)(ĝ − E ĝ)ᵀ.
    n : int
        Episodes a batch.
    """

    mean: FloatArray
    covariance: FloatArray
    n: int = 1

    @property
    def variance(self) -> float:
        """Var ĝ = tr Cov ĝ (B4)."""
        return float(np.trace(self.covariance))


def exact_moments(
    estimator: Estimator,
    mdp: TabularMDP,
    policy: Policy,
    theta: Array,
    *,
    n: int = 1,
    behaviour: Spec | list[Spec] | None = None,
    length: int | None = None,
    cut: bool = False,
    symmetric: bool = False,
    limit: int = 20_000,
) -> ExactMoments:
    """E ĝ and Cov ĝ of an estimator on batches of `n` episodes, by listing all of them (B4).

        E ĝ = Σ_{τ_1 … τ_n} p(τ_1) ⋯ p(τ_n) ĝ(τ_1, …, τ_n)

    Parameters
    ----------
    estimator : function
        ``(policy, theta, batch) → ĝ``: an array of shape (P,), or anything with such a `gradient`.
    mdp : TabularMDP
    policy : Policy
    theta : array, shape (P,)
        What the estimator is given.
    n : int, optional
        Episodes a batch; two where the estimator couples them, as a mean over the batch does.
    behaviour : (policy, theta), table, or a list of `n` of them, optional
        Who acts, for all episodes or for each; by default the policy itself. The batch's logp is theirs.
    length, cut
        As for `trajectories`.
    symmetric : bool, optional
        Promise that the order of two episodes does not matter: half the work. The promise is tried on some pairs.
    limit : int, optional
        The most calls of the estimator.

    Raises
    ------
    InvalidInput
        If the estimator gives another shape, or another result on the same batch; if there are too many batches.
    NonFinite
        If it gives NaN or an infinity.

    Examples
    --------
    >>> from npgrad.oracle import TabularMDP, gradient
    >>> from npgrad.policies import make_policy
    >>> bandit = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=1)
    >>> policy = make_policy(bandit, "linear")
    >>> theta = np.zeros(policy.n_params)
    >>> def reinforce(policy, theta, batch):
    ...     return policy.at(theta, batch.obs, batch.act).vjp(batch.rew) / batch.n_episodes
    >>> m = exact_moments(reinforce, bandit, policy, theta, n=2)
    >>> m.mean - gradient(bandit, policy, theta), m.variance
    (array([0., 0., 0., 0.]), 0.125)
    """
    if n < 1:
        raise InvalidInput(f"n is {n}, expected at least one episode a batch")
    each: list[Spec | None] = [*behaviour] if isinstance(behaviour, list) else [behaviour] * n
    if len(each) != n:
        raise InvalidInput(f"behaviour is a list of {len(each)}, expected n = {n} of them, or one for all")
    slots = _slots(mdp, policy, theta, each, length, cut, shared=not isinstance(behaviour, list))
    sizes = [len(slot) for slot in slots]
    symmetric = symmetric and n == 2 and slots[0] is slots[1]
    calls = np.prod(np.array(sizes, float)) / (2 if symmetric else 1)
    if calls > limit:
        raise InvalidInput(
            f"the estimator would be called on {calls:.3g} batches of {' × '.join(map(str, sizes))} trajectories, more "
            f"than limit={limit}; use fewer steps, or separable_moments, u_statistic or causal_moments where they fit"
        )

    g = _Caller(estimator, policy, theta)
    singles = [[slot.batch.select([i]) for i in range(len(slot))] for slot in slots]
    g.require_same_twice(_joined([s[0] for s in singles]))
    if symmetric:
        g.require_symmetric(singles[0])
    values, weights = [], []
    for index in _indices(sizes, symmetric):
        values.append(g(_joined([s[i] for s, i in zip(singles, index, strict=True)])))
        twice = 2 if symmetric and index[0] != index[1] else 1
        weights.append(twice * np.prod([slot.prob[i] for slot, i in zip(slots, index, strict=True)]))
    return _moments(np.array(values), np.array(weights), n)


def separable_moments(
    estimator: Estimator,
    mdp: TabularMDP,
    policy: Policy,
    theta: Array,
    *,
    n: int = 1,
    behaviour: Spec | None = None,
    length: int | None = None,
    cut: bool = False,
) -> ExactMoments:
    """The same for ĝ = 1/n Σ_i g(τ_i), in one call: E ĝ = E g, Cov ĝ = Cov g / n (B10).

    Parameters
    ----------
    estimator : function
        ``(policy, theta, batch)`` → the terms g of all episodes, shape (N, P), or anything with such a `per_episode`.
    mdp, policy, theta, n, behaviour, length, cut
        As for `exact_moments`.

    Raises
    ------
    InvalidInput
        If the terms have another shape, or a term changes with the other episodes of its batch (tried on some).
    """
    (t,) = _slots(mdp, policy, theta, [behaviour], length, cut, shared=True)

    def terms(batch: Batch) -> FloatArray:
        result = estimator(policy, theta, batch)
        g = as_real_array("the estimator's terms", getattr(result, "per_episode", result))
        require_shape("the estimator's terms", g, (batch.n_episodes, len(theta)), "one gradient for each episode")
        require_finite("the estimator's terms", g)
        return g

    g = terms(t.batch)
    for i in range(0, len(t), max(1, len(t) // 8)):
        alone = terms(_joined([t.batch.select([i])]))[0]
        if not np.allclose(alone, g[i], rtol=1e-9, atol=1e-9 * np.abs(g).max()):
            raise InvalidInput(f"the term of trajectory {i} changes with its batch; use exact_moments with n=2")
    one = _moments(g, t.prob, 1)
    return ExactMoments(one.mean, one.covariance / n, n)


def pair_estimates(
    estimator: Estimator,
    mdp: TabularMDP,
    policy: Policy,
    theta: Array,
    *,
    length: int | None = None,
    limit: int = 20_000,
) -> tuple[FloatArray, FloatArray]:
    """p(τ), shape (M,), and the estimator on all batches of two, h(τ_i, τ_j), shape (M, M, P): for `u_statistic`.

    Raises
    ------
    InvalidInput
        As `exact_moments`.
    """
    t = trajectories(mdp, policy, theta, length=length)
    M = len(t)
    if limit < M**2:
        raise InvalidInput(f"there are {M}² = {M * M} batches of two, more than limit={limit}; use fewer steps")
    g = _Caller(estimator, policy, theta)
    singles = [t.batch.select([i]) for i in range(M)]
    g.require_same_twice(_joined([singles[0], singles[0]]))
    h = np.array([g(_joined([a, b])) for a in singles for b in singles])
    return t.prob, h.reshape(M, M, -1)


def u_statistic(prob: Array, h: Array, n: int) -> ExactMoments:
    """Moments of U_n = 1/(n(n−1)) Σ_{i≠j} h(τ_i, τ_j) for every n, from its kernel of order two (B11).

        Cov U_n = 2/(n(n−1)) (2(n−2) ζ_1 + ζ_2),  ζ_1 = Cov E[h|τ_1],  ζ_2 = Cov h

    Parameters
    ----------
    prob : array, shape (M,)
        p(τ).
    h : array, shape (M, M, P)
        The kernel on all pairs; h(τ, τ) counts as well, for two episodes of a batch can be alike.
    n : int
        Episodes a batch, at least 2.

    Raises
    ------
    InvalidInput
        If shapes disagree or n < 2.

    Notes
    -----
    Hoeffding 1948. Leave-one-out is such an estimator, with h the estimate on two episodes.

    Examples
    --------
    >>> x = np.array([0.0, 1.0])  # the sample variance of coin tosses, h = (x − x')²/2
    >>> m = u_statistic(np.array([0.5, 0.5]), (x[:, None, None] - x[None, :, None]) ** 2 / 2, n=4)
    >>> float(m.mean[0]), round(m.variance, 6)
    (0.25, 0.010417)
    """
    prob, h = np.asarray(prob), np.asarray(h)
    require_shape("h", h, (len(prob), len(prob), None), "the kernel on all pairs of trajectories")
    if n < 2:
        raise InvalidInput(f"n is {n}, expected at least two episodes for a kernel of pairs")
    h = (h + h.swapaxes(0, 1)) / 2
    zeta_1 = _moments(np.tensordot(prob, h, axes=1), prob, 1)  # E[h|τ_1]
    zeta_2 = _moments(h.reshape(len(prob) ** 2, -1), np.outer(prob, prob).ravel(), 2)
    covariance = 2 / (n * (n - 1)) * (2 * (n - 2) * zeta_1.covariance + zeta_2.covariance)
    return ExactMoments(zeta_2.mean, covariance, n)


class _Caller:
    """The estimator with its result checked."""

    def __init__(self, estimator: Estimator, policy: Policy, theta: Array) -> None:
        self.estimator, self.policy, self.theta = estimator, policy, theta.view()
        self.theta.flags.writeable = False  # as batches are: what is written would change the next call

    def __call__(self, batch: Batch) -> FloatArray:
        result = self.estimator(self.policy, self.theta, batch)
        g = as_real_array("the estimator's gradient", getattr(result, "gradient", result))
        require_shape("the estimator's gradient", g, (len(self.theta),), "one number for each parameter")
        require_finite("the estimator's gradient", g)
        return g

    def require_same_twice(self, batch: Batch) -> None:
        first, second = self(batch), self(batch)
        if not np.array_equal(first, second):
            raise InvalidInput(
                f"the estimator is random: two calls on one batch differ by {np.abs(first - second).max():.2g}; "
                "give it a seed, so that it is a function of the batch"
            )

    def require_symmetric(self, singles: list[Batch]) -> None:
        some = singles[:: max(1, len(singles) // 4)]
        for a, b in product(some, some):
            ab, ba = self(_joined([a, b])), self(_joined([b, a]))
            if not np.allclose(ab, ba, rtol=1e-9, atol=1e-12):
                raise InvalidInput("the estimator depends on the order of episodes; leave symmetric=False")


def _slots(
    mdp: TabularMDP,
    policy: Policy,
    theta: Array,
    each: list[Spec | None],
    length: int | None,
    cut: bool,
    shared: bool,
) -> list[Trajectories]:
    """The trajectories that each episode of a batch can be."""

    def of(spec: Spec | None) -> Trajectories:
        actor, at = (policy, theta) if spec is None else spec if isinstance(spec, tuple) else (spec, None)
        return trajectories(mdp, actor if is_policy(actor) else np.asarray(actor), at, length=length, cut=cut)

    return [of(each[0])] * len(each) if shared else [of(spec) for spec in each]


def _indices(sizes: list[int], symmetric: bool) -> Iterator[tuple[int, ...]]:
    every = product(*map(range, sizes))
    return (i for i in every if i[0] <= i[1]) if symmetric else every


def _joined(singles: list[Batch]) -> Batch:
    """One batch of whole episodes, numbered anew: an episode may stand in it twice."""
    lengths = [b.n_steps for b in singles]
    names = ("obs", "act", "rew", "logp", "terminated", "truncated", "final_obs")
    arrays = {name: np.concatenate([getattr(b, name) for b in singles]) for name in names}
    return Batch(offsets=np.cumsum([0, *lengths]), **arrays)


def _moments(values: Array, weights: Array, n: int) -> ExactMoments:
    mean = weights @ values
    centred = values - mean
    return ExactMoments(mean, (centred * weights[:, None]).T @ centred, n)
