"""Hyper-parameters of the actor-critic algorithms; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from .settings import CRITIC_NAMES, OPTIMIZER_NAMES, CriticSettings, hyper, require_known

__all__ = ["A2CSettings", "ActorCriticSettings", "NPGSettings", "PPOSettings", "QACSettings", "TRPOSettings"]


WEIGHT_NAMES = ("advantage", "q", "all-actions")


@dataclass(frozen=True)
class ActorCriticSettings(CriticSettings):
    """What all actor-critics have in common."""

    n_steps: int | None = hyper(None, "timesteps of every environment in an iteration, across episodes")
    n_episodes: int | None = hyper(None, "or: complete episodes in an iteration")
    gamma: float = hyper(0.99, "discount factor γ")
    gae_lambda: float = hyper(0.95, "λ of the advantages: 0 one step, 1 all that is left")
    normalize_advantage: bool = hyper(True, "standardise the advantages of a batch: a scale, and a small bias")

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive, require_probability  # they import NumPy, which help does without

        if (self.n_steps is None) == (self.n_episodes is None):
            raise InvalidInput(f"n_steps is {self.n_steps} and n_episodes {self.n_episodes}, expected one of them")
        for name in ("n_steps", "n_episodes"):
            if getattr(self, name) is not None:
                require_positive(name, getattr(self, name))
        require_probability("gamma", self.gamma)
        require_probability("gae_lambda", self.gae_lambda)


@dataclass(frozen=True)
class A2CSettings(ActorCriticSettings):
    """Hyper-parameters of A2C.

    Examples
    --------
    >>> A2CSettings().n_steps
    5
    """

    n_steps: int | None = hyper(5, "timesteps of every environment in an iteration, across episodes")
    learning_rate: float = hyper(7e-4, "step size α")
    gae_lambda: float = hyper(1.0, "λ of the advantages: 0 one step, 1 all that is left")
    advantage_steps: int | None = hyper(None, "n of n-step advantages, in place of GAE")
    shared_trunk: bool = hyper(False, "V behind the policy's own hidden layers, rather than a network of its own")
    vf_coef: float = hyper(0.5, "c, weight of V's error where the trunk is shared")
    ent_coef: float = hyper(0.0, "β, weight of the entropy's gradient")
    max_grad_norm: float = hyper(0.5, "longer gradients are cut to this norm")
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)
    critic_epochs: int = hyper(1, "passes over the batch for the critic's perceptron")
    normalize_advantage: bool = hyper(False, "standardise the advantages of a batch: a scale, and a small bias")

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive

        _require_ascent(self)
        require_positive("vf_coef", self.vf_coef)
        if self.advantage_steps is not None:
            require_positive("advantage_steps", self.advantage_steps)


@dataclass(frozen=True)
class QACSettings(ActorCriticSettings):
    """Hyper-parameters of the Q actor-critic.

    ============ ======================================================================================================
    weights      Ψ_t, what each score is weighted with; V(s) = Σ_a π(a|s) Q_w(s, a)
    ============ ======================================================================================================
    advantage    Q_w(s_t, a_t) − V(s_t)
    q            Q_w(s_t, a_t), as the lecture has it
    all-actions  Σ_a ∇π(a|s_t) Q_w(s_t, a) in place of Ψ_t f_t: no noise of the actions (P13)
    ============ ======================================================================================================

    Examples
    --------
    >>> QACSettings().weights
    'advantage'
    """

    n_steps: int | None = hyper(32, "timesteps of every environment in an iteration, across episodes")
    learning_rate: float = hyper(3e-3, "step size α")
    weights: str = hyper("advantage", "what weighs a score: Q, Q − V, or the sum over all actions", WEIGHT_NAMES)
    gae_lambda: float = hyper(0.9, "λ of the critic's targets: 0 one step, 1 Monte Carlo")
    n_samples: int = hyper(8, "actions drawn at a state for V, where they are not finitely many")
    ent_coef: float = hyper(0.0, "β, weight of the entropy's gradient")
    max_grad_norm: float = hyper(0.5, "longer gradients are cut to this norm")
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)
    critic: str = hyper(
        "mlp", "Q as a perceptron, linear in the observation, or in monomials up to the square", CRITIC_NAMES
    )
    normalize_advantage: bool = hyper(False, "standardise the advantages of a batch: a scale, and a small bias")

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive

        _require_ascent(self)
        require_known("weights", self.weights, WEIGHT_NAMES)
        require_positive("n_samples", self.n_samples)


@dataclass(frozen=True)
class PPOSettings(ActorCriticSettings):
    """Hyper-parameters of PPO.

    Examples
    --------
    >>> PPOSettings().clip_range
    0.2
    """

    n_steps: int | None = hyper(256, "timesteps of every environment in an iteration, across episodes")
    learning_rate: float = hyper(3e-4, "step size α")
    batch_size: int = hyper(64, "rows of a minibatch, of the critic's too")
    n_epochs: int = hyper(10, "passes over the batch")
    precision: str = hyper("float64", "of θ and of all that is computed with it", ("float64", "float32"))
    shared_trunk: bool = hyper(False, "V behind the policy's own hidden layers, rather than a network of its own")
    vf_coef: float = hyper(0.5, "c, weight of V's error where the trunk is shared")
    clip_range: float = hyper(0.2, "ε: ratios beyond 1 ± ε gain nothing more")
    target_kl: float | None = hyper(None, "end the passes when the KL exceeds 1.5 times this")
    ent_coef: float = hyper(0.0, "β, weight of the entropy's gradient")
    max_grad_norm: float = hyper(0.5, "longer gradients are cut to this norm")
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive

        _require_ascent(self)
        require_known("precision", self.precision, ("float64", "float32"))
        for name in ("batch_size", "n_epochs", "clip_range", "vf_coef"):
            require_positive(name, getattr(self, name))
        if self.target_kl is not None:
            require_positive("target_kl", self.target_kl)


@dataclass(frozen=True)
class NPGSettings(ActorCriticSettings):
    """Hyper-parameters of the natural policy gradient.

    Examples
    --------
    >>> NPGSettings().delta
    0.05
    """

    n_episodes: int | None = hyper(10, "complete episodes in an iteration")
    gamma: float = hyper(0.995, "discount factor γ")
    gae_lambda: float = hyper(0.97, "λ of the advantages: 0 one step, 1 all that is left")
    delta: float = hyper(0.05, "δ: the step's ½ dᵀFd, in nats a state")
    damping: float = hyper(1e-4, "λ in (F + λI)⁻¹ĝ")
    cg_iterations: int = hyper(20, "steps of the conjugate gradient")
    critic: str = hyper(
        "quadratic", "V as a perceptron, or linear in the observation, its square and time", CRITIC_NAMES
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        from ..validation import require_positive

        for name in ("delta", "cg_iterations"):
            require_positive(name, getattr(self, name))
        if self.damping < 0:
            raise InvalidInput(f"damping is {self.damping}, expected a number of at least 0")


@dataclass(frozen=True)
class TRPOSettings(NPGSettings):
    """Hyper-parameters of TRPO.

    Examples
    --------
    >>> TRPOSettings().shrink
    0.8
    """

    delta: float = hyper(0.01, "δ: the largest KL of a step, old to new, in nats a state")
    shrink: float = hyper(0.8, "each try of the line search is this times the one before")
    max_tries: int = hyper(10, "tries of the line search")


def _require_ascent(settings: A2CSettings | PPOSettings | QACSettings) -> None:
    from ..validation import require_positive

    require_positive("learning_rate", settings.learning_rate)
    require_positive("max_grad_norm", settings.max_grad_norm)
    require_known("optimizer", settings.optimizer, OPTIMIZER_NAMES)
    if settings.ent_coef < 0:
        raise InvalidInput(f"ent_coef is {settings.ent_coef}, expected a number of at least 0")
