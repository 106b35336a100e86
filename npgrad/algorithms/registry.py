"""The algorithms by name; listing them imports none."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from ..errors import UnknownName
from . import actor_critic_settings, off_policy_settings, online_settings, perturbation_settings, settings

SPACES = ("Discrete", "Box", "MultiDiscrete", "MultiBinary")

__all__ = ["ALGORITHMS", "AlgorithmEntry", "algorithm"]


@dataclass(frozen=True)
class AlgorithmEntry:
    """An algorithm in the list.

    Parameters
    ----------
    summary : str
        One line.
    action_spaces : tuple of str
        What it can act in.
    Settings : type
        The dataclass of its hyper-parameters.
    where : str
        ``module:class``.
    """

    summary: str
    action_spaces: tuple[str, ...]
    Settings: type[Any]
    where: str

    def load(self) -> type[Any]:
        """The class, with learn, predict, save and load."""
        module, name = self.where.split(":")
        found: type[Any] = getattr(import_module(module), name)
        return found


ALGORITHMS: dict[str, AlgorithmEntry] = {
    "reinforce": AlgorithmEntry(
        summary="Monte Carlo policy gradient with an unbiased leave-one-out baseline",
        action_spaces=SPACES,
        Settings=settings.ReinforceSettings,
        where="npgrad.algorithms.reinforce:REINFORCE",
    ),
    "qac": AlgorithmEntry(
        summary="Q actor-critic: a critic of action values weighs the scores",
        action_spaces=SPACES,
        Settings=actor_critic_settings.QACSettings,
        where="npgrad.algorithms.qac:QAC",
    ),
    "a2c": AlgorithmEntry(
        summary="synchronous advantage actor-critic: a few steps of many environments an update",
        action_spaces=SPACES,
        Settings=actor_critic_settings.A2CSettings,
        where="npgrad.algorithms.a2c:A2C",
    ),
    "a3c": AlgorithmEntry(
        summary="asynchronous advantage actor-critic: lock-free threads in compiled environments",
        action_spaces=("Discrete", "Box"),
        Settings=online_settings.A3CSettings,
        where="npgrad.algorithms.a3c:A3C",
    ),
    "online": AlgorithmEntry(
        summary="one-step actor-critic with eligibility traces: learns from every transition when it comes",
        action_spaces=SPACES,
        Settings=online_settings.OnlineSettings,
        where="npgrad.algorithms.online:Online",
    ),
    "npg": AlgorithmEntry(
        summary="natural policy gradient, exact Fisher products by conjugate gradient",
        action_spaces=SPACES,
        Settings=actor_critic_settings.NPGSettings,
        where="npgrad.algorithms.natural:NPG",
    ),
    "trpo": AlgorithmEntry(
        summary="natural step, cut back until the true KL is within the trust region and the surrogate improves",
        action_spaces=SPACES,
        Settings=actor_critic_settings.TRPOSettings,
        where="npgrad.algorithms.natural:TRPO",
    ),
    "ppo": AlgorithmEntry(
        summary="epochs of minibatches up the clipped surrogate",
        action_spaces=SPACES,
        Settings=actor_critic_settings.PPOSettings,
        where="npgrad.algorithms.ppo:PPO",
    ),
    "offpolicy": AlgorithmEntry(
        summary="off-policy policy gradient: several steps a batch within a KL, replay with importance ratios",
        action_spaces=SPACES,
        Settings=off_policy_settings.OffPolicySettings,
        where="npgrad.algorithms.offpolicy:OffPolicy",
    ),
    "dpg": AlgorithmEntry(
        summary="deterministic policy gradient: up the critic's slope in the action, with noise and replay",
        action_spaces=("Box",),
        Settings=off_policy_settings.DPGSettings,
        where="npgrad.algorithms.dpg:DPG",
    ),
    "es": AlgorithmEntry(
        summary="evolution strategies: antithetic pairs, shaped returns",
        action_spaces=SPACES,
        Settings=perturbation_settings.ESSettings,
        where="npgrad.algorithms.perturbation:ES",
    ),
    "ars": AlgorithmEntry(
        summary="augmented random search, V1 to V2-t",
        action_spaces=SPACES,
        Settings=perturbation_settings.ARSSettings,
        where="npgrad.algorithms.perturbation:ARS",
    ),
    "fd": AlgorithmEntry(
        summary="finite differences of returns, common random numbers",
        action_spaces=SPACES,
        Settings=perturbation_settings.FDSettings,
        where="npgrad.algorithms.perturbation:FD",
    ),
    "pgpe": AlgorithmEntry(
        summary="policy gradient over a distribution of θ, with its own σ for every parameter",
        action_spaces=SPACES,
        Settings=perturbation_settings.PGPESettings,
        where="npgrad.algorithms.perturbation:PGPE",
    ),
    "hill": AlgorithmEntry(
        summary="hill climbing with moves that adapt",
        action_spaces=SPACES,
        Settings=perturbation_settings.HillClimbingSettings,
        where="npgrad.algorithms.selection:HillClimbing",
    ),
    "ga": AlgorithmEntry(
        summary="genetic algorithm: truncation, mutation, an elite of one",
        action_spaces=SPACES,
        Settings=perturbation_settings.GeneticSettings,
        where="npgrad.algorithms.selection:Genetic",
    ),
}


def algorithm(name: str) -> AlgorithmEntry:
    """The entry of that name.

    Raises
    ------
    UnknownName
        With near matches.

    Examples
    --------
    >>> algorithm("reinforce").load().__name__
    'REINFORCE'
    """
    if name not in ALGORITHMS:
        raise UnknownName("algorithm", name, ALGORITHMS)
    return ALGORITHMS[name]
