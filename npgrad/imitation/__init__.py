"""Learning from demonstrations: behaviour cloning, DAgger, goals in hindsight, weighted regression.

Names resolve at first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .aggregation import Aggregated, dagger
    from .cloning import Cloned, clone
    from .experts import Expert, Mixture
    from .growth import ChainCosts, chain_costs, chain_policy, mistake_chain
    from .likelihood import cloning_loss, latent_batch
    from .reaching import Reached, final_distances, reach_goals
    from .settings import CloningSettings, DaggerSettings, GoalSettings
    from .weighting import advantage_weights, reward_weights

_WHERE = {
    "mistake_chain": "growth",
    "chain_policy": "growth",
    "chain_costs": "growth",
    "ChainCosts": "growth",
    "Aggregated": "aggregation",
    "Cloned": "cloning",
    "CloningSettings": "settings",
    "DaggerSettings": "settings",
    "Expert": "experts",
    "GoalSettings": "settings",
    "Mixture": "experts",
    "Reached": "reaching",
    "advantage_weights": "weighting",
    "clone": "cloning",
    "cloning_loss": "likelihood",
    "dagger": "aggregation",
    "final_distances": "reaching",
    "latent_batch": "likelihood",
    "reach_goals": "reaching",
    "reward_weights": "weighting",
}

__all__ = [
    "Aggregated",
    "ChainCosts",
    "Cloned",
    "CloningSettings",
    "DaggerSettings",
    "Expert",
    "GoalSettings",
    "Mixture",
    "Reached",
    "advantage_weights",
    "chain_costs",
    "chain_policy",
    "clone",
    "cloning_loss",
    "dagger",
    "final_distances",
    "latent_batch",
    "mistake_chain",
    "reach_goals",
    "reward_weights",
]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f".{_WHERE[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
