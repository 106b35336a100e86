"""The exact side of a study of variances, where Gymnasium has a table of the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..oracle import (
    StateBaselines,
    TabularMDP,
    WholeReturnMoments,
    causal_moments,
    from_gymnasium,
    gradient,
    state_baselines,
    values,
    variance_parts,
    whole_return_moments,
)
from ..policies import Policy
from ..types import Array, Batch, FloatArray

__all__ = ["ExactSide", "ExactTable"]

MOST = 2e8  # S·A·P·T: about a minute


@dataclass(frozen=True, eq=False)
class ExactTable:
    """A tabular environment, a policy and its θ."""

    mdp: TabularMDP
    policy: Policy
    theta: Array

    @cached_property
    def V(self) -> FloatArray:
        """V_t(s), (T, S)."""
        return values(self.mdp, self.policy, self.theta).V[:-1]

    @cached_property
    def whole(self) -> WholeReturnMoments:
        """Moments of return and score."""
        return whole_return_moments(self.mdp, self.policy, self.theta)

    @cached_property
    def baselines(self) -> StateBaselines:
        """Variance as a function of b_t(s)."""
        return state_baselines(self.mdp, self.policy, self.theta)


@dataclass(frozen=True, eq=False)
class ExactSide:
    """What is exact, or why nothing is.

    Parameters
    ----------
    table : ExactTable or None
    why : str
        Why there is none.
    """

    table: ExactTable | None
    why: str

    @classmethod
    def of(
        cls, env: Any, policy: Policy, theta: Array, gamma: float, env_kwargs: Mapping[str, Any] | None = None
    ) -> ExactSide:
        """That of a Gymnasium id or of a `TabularMDP`, if it has a table and is not too large."""
        import gymnasium

        if isinstance(env, TabularMDP):
            mdp, name = env.replace(gamma=gamma), "the problem"
        elif isinstance(env, str):
            name = env
            try:
                mdp = from_gymnasium(gymnasium.make(env, **(env_kwargs or {})), gamma=gamma)
            except (InvalidInput, gymnasium.error.Error) as error:
                return cls(None, str(error).split(";")[0])
        else:
            return cls(None, "name the environment by its id, or give its table, exact=TabularMDP(…)")
        if mdp.horizon is None:
            return cls(None, f"{name} has no time limit")
        if policy.n_memory or policy.n_obs != mdp.n_obs:
            return cls(None, "the policy has a memory, or sees another observation than the table")
        size = mdp.n_states * mdp.n_actions * policy.n_params * mdp.horizon
        if size > MOST:
            return cls(None, f"{name} is too large for exact variances: S·A·P·T = {size:.1g}")
        return cls(ExactTable(mdp, policy, theta), "")

    @property
    def known(self) -> bool:
        """Whether there is a table."""
        return self.table is not None

    def variance(self, kind: str, n: int) -> float | None:
        """Var ĝ in batches of n of the estimator of that kind; None where it is not known."""
        t = self.table
        if t is None or not kind:
            return None
        if kind == "whole":
            return t.whole.variance() / n
        if kind == "whole, leave-one-out":
            return float(t.whole.leave_one_out_variances(n).sum())
        if kind == "whole, batch mean":
            return float(t.whole.batch_mean_variances(n).sum())
        b: Array | float = 0.0 if kind == "to go" else self._table_of(kind)
        return causal_moments(t.mdp, t.policy, t.theta, baseline=b).variance / n

    def baseline(self, kind: str) -> Callable[[Batch], FloatArray]:
        """``batch → b_t(s_t)``: the exact V, or the best b."""
        b, seen = self._table_of(kind), self._table().mdp.obs

        def rows(batch: Batch) -> FloatArray:
            table = seen[batch.time] if seen.ndim == 3 else seen
            return np.asarray(b[batch.time, (batch.obs[:, None] == table).all(axis=-1).argmax(axis=1)])

        return rows

    def notes(self) -> tuple[str, ...]:
        """‖∇J‖², and where the variance of reward-to-go comes from (B8); or why nothing is exact."""
        t = self.table
        if t is None:
            return (f"no exact values: {self.why}",) if self.why else ()
        parts = variance_parts(t.mdp, t.policy, t.theta)
        shares = {
            "the state": parts.states.sum(),
            "the action": parts.actions.sum(),
            "what follows": parts.rest.sum(),
            "between steps": parts.cross,
        }
        total = sum(shares.values())
        g = gradient(t.mdp, t.policy, t.theta)
        notes = [f"exact: ‖∇J‖² = {g @ g:.4g}"]
        if total > 0:
            said = ", ".join(f"{name} {100 * x / total:.0f} %" for name, x in shares.items())
            notes.append(f"the variance of reward-to-go comes from {said}")
        return tuple(notes)

    def _table(self) -> ExactTable:
        if self.table is None:
            raise InvalidInput(f"there are no exact values: {self.why}")
        return self.table

    def _table_of(self, kind: str) -> FloatArray:
        t = self._table()
        return t.V if kind == "exact V" else t.baselines.best()
