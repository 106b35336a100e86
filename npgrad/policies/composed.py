"""Policies as functions composed with distributions: every gradient is one Jᵀ of a row of the distribution."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Protocol

import numpy as np

from ..distributions import (
    DiagonalGaussian,
    Distribution,
    apply_mask,
    provides,
    require_method,
    squashed_entropy,
)
from ..errors import InvalidInput
from ..functions import Function, Linearisation
from ..spaces import Space
from ..types import Array, IntArray
from ..validation import require_finite, require_shape, require_theta
from .action_maps import ActionMap, Identity, Tanh
from .normaliser import Normaliser

__all__ = ["ComposedLinearisation", "ComposedPolicy", "Policy", "PolicyLinearisation"]


class PolicyLinearisation(Protocol):
    """The map θ ↦ (log π_θ(a_t|o_t))_t at one θ, computed once and reused; f_t is the score ∇_θ log π_θ(a_t|o_t)."""

    @property
    def log_prob(self) -> Array:
        """log π_θ(a_t|o_t), shape (T,)."""

    def vjp(self, psi: Array) -> Array:
        """Σ_t Ψ_t f_t, shape (P,)."""

    def jvp(self, v: Array) -> Array:
        """f_tᵀ v, shape (T,)."""

    def vjp_rows(self, psi: Array) -> Array:
        """Ψ_t f_t, shape (T, P)."""

    def vjp_segments(self, psi: Array, offsets: IntArray) -> Array:
        """Σ_{t in segment i} Ψ_t f_t, shape (N, P)."""


class Policy(Protocol):
    """A map from observations to distributions over actions, parametrised by a flat θ."""

    @property
    def observation_space(self) -> Space:
        """What the environment gives."""

    @property
    def action_space(self) -> Space:
        """What the environment takes."""

    @property
    def action_map(self) -> ActionMap:
        """From latent actions to the environment's."""

    @property
    def n_obs(self) -> int:
        """d, columns of obs."""

    @property
    def n_masked(self) -> int:
        """How many of the last columns of obs are a mask over actions (1: allowed); 0: there is none."""

    @property
    def n_params(self) -> int:
        """P, length of θ."""

    @property
    def n_memory(self) -> int:
        """M, numbers carried from step to step; 0 for a memoryless policy."""

    @property
    def draws(self) -> tuple[str, ...]:
        """The kind of each noise number that drawing one action takes."""

    def init(self, rng: np.random.Generator) -> Array:
        """A θ to start from."""

    def inputs(self, obs: Array) -> Array:
        """What its function gets of observations: normalised, and without the mask."""

    def with_normaliser(self, normaliser: Normaliser | None) -> Policy:
        """The same policy behind another affine layer."""

    def at(self, theta: Array, obs: Array, act: Array, offsets: IntArray | None = None) -> PolicyLinearisation:
        """The linearisation of θ ↦ log π_θ(a_t|o_t)."""

    def act(
        self, theta: Array, obs: Array, noise: Array | None = None, memory: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """Latent actions, their log-probabilities, and the memory after the step."""


class ComposedLinearisation:
    """`PolicyLinearisation` of a `ComposedPolicy`, y (T, K); entropy, KL, Fisher if the distribution has them."""

    def __init__(self, lin: Linearisation, y: Array, distribution: Distribution, act: Array) -> None:
        self.lin, self.y, self.distribution, self.act = lin, y, distribution, act

    @cached_property
    def log_prob(self) -> Array:
        """log π_θ(a_t|o_t), shape (T,)."""
        return self.distribution.log_prob(self.y, self.act)

    @cached_property
    def _score(self) -> Array:
        """∂ log p/∂y, shape (T, K)."""
        return self.distribution.score(self.y, self.act)

    def _weighted(self, psi: Array) -> Array:
        """Ψ_t ∂log p_t/∂y_t in the dtype of θ, shape (T, K)."""
        rows: Array = psi.astype(self._score.dtype, copy=False)[:, None] * self._score
        return rows

    def vjp(self, psi: Array) -> Array:
        """Σ_t Ψ_t f_t = Jᵀ(Ψ_t ∂log p_t/∂y_t), shape (P,)."""
        return self.lin.vjp(self._weighted(psi))

    def jvp(self, v: Array) -> Array:
        """f_tᵀ v = ∂log p_t/∂y_t · (Jv)_t, shape (T,)."""
        products: Array = np.einsum("tk,tk->t", self._score, self.lin.jvp(v))
        return products

    def vjp_rows(self, psi: Array) -> Array:
        """Ψ_t f_t, shape (T, P)."""
        return self.lin.vjp_rows(self._weighted(psi))

    def vjp_segments(self, psi: Array, offsets: IntArray) -> Array:
        """Σ_{t in segment i} Ψ_t f_t, shape (N, P)."""
        return self.lin.vjp_segments(self._weighted(psi), offsets)

    def action_vjp(self, w: Array) -> Array:
        """Σ_t (∂a_t/∂θ)ᵀ w_t for a deterministic policy, w (T, k); shape (P,) (S6)."""
        return self.lin.vjp(require_method(self.distribution, "action_vjp")(self.y, w))

    def entropy(self) -> Array:
        """H_t of the latent action, shape (T,) (S8)."""
        h: Array = require_method(self.distribution, "entropy")(self.y)
        return h

    def entropy_vjp(self, w: Array) -> Array:
        """Σ_t w_t ∇_θ H_t, shape (P,)."""
        return self.lin.vjp(w[:, None] * require_method(self.distribution, "entropy_grad")(self.y))

    def kl_to(self, other: ComposedLinearisation) -> Array:
        """KL(π_self ‖ π_other) at each row, shape (T,) (S9)."""
        kl: Array = require_method(self.distribution, "kl")(self.y, other.y)
        return kl

    def kl_vjp(self, other: ComposedLinearisation, w: Array) -> Array:
        """Σ_t w_t ∇_θ KL(π_θ ‖ π_other)_t with θ that of self, shape (P,)."""
        grad_self, _ = require_method(self.distribution, "kl_grad")(self.y, other.y)
        return self.lin.vjp(w[:, None] * grad_self)

    def kl_from_vjp(self, other: ComposedLinearisation, w: Array) -> Array:
        """Σ_t w_t ∇_θ KL(π_other ‖ π_θ)_t with θ that of self, shape (P,)."""
        _, grad_self = require_method(self.distribution, "kl_grad")(other.y, self.y)
        return self.lin.vjp(w[:, None] * grad_self)

    def fisher_vp(self, v: Array, w: Array) -> Array:
        """Σ_t w_t F_t v = Jᵀ(w_t M_t (Jv)_t), F_t = E[f_t f_tᵀ | o_t], shape (P,) (S10)."""
        return self.lin.vjp(w[:, None] * require_method(self.distribution, "fisher")(self.y, self.lin.jvp(v)))


@dataclass(frozen=True, eq=False)
class ComposedPolicy:
    """π_θ(a|o) = p(a; y), y = f_θ(normaliser(o)).

    Parameters
    ----------
    function : Function
        f, from d numbers to the K that the distribution takes.
    distribution : Distribution
        p.
    observation_space, action_space : Space
        What the environment gives and takes.
    action_map : ActionMap, optional
        From latent actions to the environment's.
    normaliser : Normaliser, optional
        A frozen affine layer on observations.
    n_masked : int, optional
        The last `n_masked` columns of obs are a mask over actions (1: allowed) instead of inputs of f.

    Raises
    ------
    InvalidInput
        If f's outputs are not as many as the distribution takes.

    Examples
    --------
    >>> from npgrad.distributions import Categorical
    >>> from npgrad.functions import Linear
    >>> from npgrad.spaces import Box, Discrete
    >>> policy = ComposedPolicy(Linear(2, 3), Categorical(3), Box(-1.0, 1.0, (2,), "float64"), Discrete(3))
    >>> theta = np.zeros(policy.n_params)
    >>> policy.score(theta, np.array([[1.0, 2.0]]), np.array([0])).round(3)[0, :3]  # ∂/∂W[0, :]
    array([ 0.667, -0.333, -0.333])
    """

    function: Function
    distribution: Distribution
    observation_space: Space
    action_space: Space
    action_map: ActionMap = field(default_factory=Identity)
    normaliser: Normaliser | None = None
    n_masked: int = 0

    def __post_init__(self) -> None:
        if self.function.n_out != self.distribution.n_y:
            raise InvalidInput(
                f"{type(self.function).__name__} gives {self.function.n_out} numbers, but "
                f"{type(self.distribution).__name__} takes {self.distribution.n_y}; match n_out to the distribution"
            )

    @property
    def n_obs(self) -> int:
        """d, columns of obs (mask among them)."""
        return self.function.n_in + self.n_masked

    @property
    def n_params(self) -> int:
        """P, length of θ."""
        return self.function.n_params

    @property
    def n_memory(self) -> int:
        """M, numbers carried from step to step."""
        return self.function.n_memory

    @property
    def draws(self) -> tuple[str, ...]:
        """The kind of each noise number that drawing one action takes."""
        return self.distribution.draws

    def init(self, rng: np.random.Generator) -> Array:
        """A θ to start from, shape (P,)."""
        return self.function.init(rng)

    def with_normaliser(self, normaliser: Normaliser | None) -> ComposedPolicy:
        """The same policy behind another affine layer."""
        return replace(self, normaliser=normaliser)

    def at(self, theta: Array, obs: Array, act: Array, offsets: IntArray | None = None) -> ComposedLinearisation:
        """The linearisation of θ ↦ log π_θ(a_t|o_t).

        Parameters
        ----------
        theta : array, shape (P,)
        obs : array, shape (T, d)
        act : array, shape (T,) or (T, k)
            Latent actions, before the action map.
        offsets : int array, shape (N + 1,), optional
            Episode borders; only policies with memory look at them.

        Raises
        ------
        InvalidInput
            On wrong shapes or dtypes, or actions outside the distribution's range.
        NonFinite
            If θ has a NaN or an infinity.
        """
        obs, act = np.asarray(obs), np.asarray(act)
        self.check(theta, obs, act)
        inputs, mask = self._split(obs)
        lin = self.function.at(theta, inputs, offsets)
        return ComposedLinearisation(lin, self._masked(lin.y, mask), self.distribution, act)

    def check(self, theta: Array, obs: Array, act: Array) -> None:
        """Raise what `at` raises, unless these are a θ, observations and latent actions of this policy."""
        require_theta(theta, self.n_params)
        require_finite("theta", theta, "go back to the last θ that was finite, with a smaller step")
        require_shape("obs", obs, (None, self.n_obs))
        self.distribution.check_actions(act)
        if len(act) != len(obs):
            raise InvalidInput(f"act has {len(act)} rows and obs {len(obs)}; expected one action an observation")

    def act(
        self, theta: Array, obs: Array, noise: Array | None = None, memory: Array | None = None
    ) -> tuple[Array, Array, Array]:
        """Draw one latent action for each of B observations.

        Parameters
        ----------
        theta : array, shape (P,)
        obs : array, shape (B, d)
        noise : array, shape (B, len(draws)), optional
            The noise of each action; without it the mode is taken.
        memory : array, shape (B, M), optional
            The memory before the step; zeros where episodes begin.

        Returns
        -------
        act : array, shape (B,) or (B, k)
        logp : array, shape (B,)
            Zero if the distribution has no density.
        memory : array, shape (B, M)
        """
        inputs, mask = self._split(obs)
        if memory is None:
            memory = np.zeros((len(obs), self.n_memory), dtype=theta.dtype)
        y, memory = self.function.advance(theta, inputs, memory)
        y = self._masked(y, mask)
        act = self.distribution.mode(y) if noise is None else self.distribution.draw(y, noise)
        known = provides(self.distribution, "log_prob")
        logp = self.distribution.log_prob(y, act) if known else np.zeros(len(obs))
        return act, logp, memory

    def inputs(self, obs: Array) -> Array:
        """What f gets: normalised observations without the mask, (T, n_in of f)."""
        return self._split(obs)[0]

    def score(self, theta: Array, obs: Array, act: Array, offsets: IntArray | None = None) -> Array:
        """f_t = ∇_θ log π_θ(a_t|o_t), shape (T, P)."""
        return self.at(theta, obs, act, offsets).vjp_rows(np.ones(len(obs)))

    def log_prob(self, theta: Array, obs: Array, act: Array, offsets: IntArray | None = None) -> Array:
        """Log density of the *environment's* action map(a_t): log p(a_t; y_t) − log |det ∂map/∂a|, shape (T,)."""
        return self.at(theta, obs, act, offsets).log_prob - self.action_map.log_derivative(act)

    def entropy(self, theta: Array, obs: Array, offsets: IntArray | None = None) -> Array:
        """Entropy of the action that the environment gets, shape (T,) (S8).

        That of a squashed Gaussian is a quadrature; clipping is not accounted for, nor is what is not learned with the
        action: for its gradient take `at(…).entropy_vjp`, of the latent action.
        """
        lin = self.at(theta, obs, self.distribution.mode(np.zeros((len(obs), self.distribution.n_y))), offsets)
        if isinstance(self.action_map, Tanh) and isinstance(self.distribution, DiagonalGaussian):
            return squashed_entropy(lin.y, np.asarray(self.action_map.low), np.asarray(self.action_map.high))[0]
        return lin.entropy()

    def _split(self, obs: Array) -> tuple[Array, Array | None]:
        n = self.function.n_in
        inputs, mask = (obs[:, :n], obs[:, n:]) if self.n_masked else (obs, None)
        return (inputs if self.normaliser is None else self.normaliser(inputs)), mask

    def _masked(self, y: Array, mask: Array | None) -> Array:
        return y if mask is None else apply_mask(y, mask != 0)
