"""Hyper-parameters of the algorithms that perturb θ; nothing heavy is imported here."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import InvalidInput
from .settings import OPTIMIZER_NAMES, hyper, require_known

__all__ = ["ARSSettings", "ESSettings", "FDSettings", "GeneticSettings", "HillClimbingSettings", "PGPESettings"]

SHAPING_NAMES = ("ranks", "standard", "none")


@dataclass(frozen=True)
class PerturbationSettings:
    """What all that perturb θ have in common."""

    n_episodes: int = hyper(1, "episodes by which one θ is judged")
    deterministic: bool = hyper(True, "judge the policy's mode, rather than its draws")
    normalize_observations: bool = hyper(False, "standardise observations by their running mean and deviation")

    def __post_init__(self) -> None:
        from ..validation import require_positive  # it imports NumPy, which help does without

        require_positive("n_episodes", self.n_episodes)

    def require_positive(self, *names: str) -> None:
        """Raise unless each of these settings is above 0."""
        from ..validation import require_positive

        for name in names:
            require_positive(name, getattr(self, name))


@dataclass(frozen=True)
class ARSSettings(PerturbationSettings):
    """Hyper-parameters of augmented random search.

    Examples
    --------
    >>> ARSSettings(normalize_observations=True, n_top=4).n_delta  # V2-t
    8
    """

    n_delta: int = hyper(8, "N, directions of an iteration; each is tried both ways")
    n_top: int | None = hyper(None, "b, directions that are kept, the best by max(r₊, r₋) (V1-t, V2-t); none: all")
    delta_std: float = hyper(0.05, "ν, size of a perturbation")
    learning_rate: float = hyper(0.02, "step size α")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n_delta", "delta_std", "learning_rate")
        if self.n_top is not None and not 1 <= self.n_top <= self.n_delta:
            raise InvalidInput(f"n_top is {self.n_top}, expected a number from 1 to n_delta = {self.n_delta}")


@dataclass(frozen=True)
class ESSettings(PerturbationSettings):
    """Hyper-parameters of evolution strategies.

    Examples
    --------
    >>> ESSettings().shaping
    'ranks'
    """

    n_pairs: int = hyper(16, "antithetic pairs θ ± σε of an iteration")
    sigma: float = hyper(0.1, "σ, size of a perturbation")
    learning_rate: float = hyper(0.05, "step size α")
    shaping: str = hyper("ranks", "what is made of the returns before they weigh the directions", SHAPING_NAMES)
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n_pairs", "sigma", "learning_rate")
        require_known("shaping", self.shaping, SHAPING_NAMES)
        require_known("optimizer", self.optimizer, OPTIMIZER_NAMES)


@dataclass(frozen=True)
class FDSettings(PerturbationSettings):
    """Hyper-parameters of the finite-difference policy gradient.

    Examples
    --------
    >>> FDSettings().central
    True
    """

    n_episodes: int = hyper(4, "episodes by which one θ is judged")
    epsilon: float = hyper(0.1, "ε, how far a parameter is moved")
    central: bool = hyper(True, "central differences (2P evaluations) rather than forward ones (P + 1)")
    learning_rate: float = hyper(0.05, "step size α")
    optimizer: str = hyper("adam", "how the gradient becomes a step", OPTIMIZER_NAMES)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("epsilon", "learning_rate")
        require_known("optimizer", self.optimizer, OPTIMIZER_NAMES)


@dataclass(frozen=True)
class PGPESettings(PerturbationSettings):
    """Hyper-parameters of PGPE.

    Examples
    --------
    >>> PGPESettings().sigma
    0.5
    """

    n_pairs: int = hyper(16, "symmetric pairs of an iteration")
    sigma: float = hyper(0.5, "σ of every parameter at the start")
    learning_rate: float = hyper(0.2, "step size of μ")
    sigma_learning_rate: float = hyper(0.1, "step size of σ")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n_pairs", "sigma", "learning_rate", "sigma_learning_rate")


@dataclass(frozen=True)
class HillClimbingSettings(PerturbationSettings):
    """Hyper-parameters of hill climbing.

    Examples
    --------
    >>> HillClimbingSettings().sigma
    0.1
    """

    n_episodes: int = hyper(4, "episodes by which one θ is judged")
    sigma: float = hyper(0.1, "σ of a move at the start")
    grow: float = hyper(2.0, "σ is multiplied by this after a move that fails, divided after one that succeeds")
    least_sigma: float = hyper(1e-3, "smallest σ")
    greatest_sigma: float = hyper(2.0, "largest σ")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("sigma", "grow", "least_sigma", "greatest_sigma")
        if not self.least_sigma <= self.sigma <= self.greatest_sigma:
            raise InvalidInput(
                f"sigma is {self.sigma}, expected a number from least_sigma = {self.least_sigma} to greatest_sigma = "
                f"{self.greatest_sigma}"
            )


@dataclass(frozen=True)
class GeneticSettings(PerturbationSettings):
    """Hyper-parameters of the genetic algorithm.

    Examples
    --------
    >>> GeneticSettings().n_parents
    8
    """

    n_population: int = hyper(32, "individuals of a generation")
    n_parents: int = hyper(8, "the best, from which the next generation descends; the first of them lives on")
    sigma: float = hyper(0.2, "σ of a mutation, and of the first generation")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("n_population", "n_parents", "sigma")
        if self.n_parents >= self.n_population:
            raise InvalidInput(f"n_parents is {self.n_parents}, expected fewer than n_population = {self.n_population}")
