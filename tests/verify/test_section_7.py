"""Section 7: every row on problems of many sizes, and with a mistake in what it judges."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import estimators
from npgrad.estimators import behaviours, geometry, off_policy
from npgrad.optimizers import Backtracked
from npgrad.verify import CATALOGUE, Finding, run
from npgrad.verify import section_7_ratios as ratios
from npgrad.verify import section_7_states as states
from npgrad.verify import section_7_weights as weights
from tests.verify.random_problems import problems

ROWS = [row for row in CATALOGUE.section(7) if row.kind == "exact"]


@settings(max_examples=30)
@given(st.sampled_from(ROWS), problems)
def test_rows_hold_on_problems_of_other_sizes(row, problem):
    found = row.check(problem)
    residual = found.residual if isinstance(found, Finding) else found
    assert residual <= row.tolerance, f"{row.id}: {residual:.1e}"


def scaled(f, factor):
    return lambda *args, **options: factor * f(*args, **options)


def swapped(f):
    return lambda mdp, target, beta: f(mdp, beta, target)


def without_the_last(x, batch):  # Π_{k<t} ρ_k in place of Π_{k≤t}
    return estimators.causal_ratio(x, batch) - x


def of_the_batch(x, batch):  # one product over all rows, the borders of episodes forgotten
    return np.cumsum(x)


@dataclasses.dataclass(frozen=True)
class CountedTwice(estimators.PerDecisionGradient):
    """The second product from t, not t + 1: X7."""

    def __call__(self, policy, theta, batch):
        rho = np.exp(estimators.log_ratios(policy, theta, batch))
        w = np.exp(estimators.causal_ratio(np.log(rho), batch)) * self.gamma**batch.time
        later = np.add.accumulate((w * batch.rew)[::-1])[::-1]
        ends = np.append(later, 0.0)[np.repeat(batch.offsets[1:], batch.lengths)]
        b = self.baseline(estimators.reward_to_go(batch, self.gamma), batch)
        return estimators.score_function_estimate(
            policy, theta, batch, rho * (later - ends - w * b), keep_per_episode=self.keep_per_episode
        )


def at_the_behaviour(f):  # scores taken where the data come from: θ in the ratios alone
    def mistaken(policy, theta, batch, psi, **options):
        return f(policy, 0 * theta, batch, psi, **options)

    return mistaken


def normalised_over_rows(log_w, batch):  # long episodes count more often
    w = np.exp(log_w)
    return w * batch.n_steps / w.sum()


def unequal(log_w):
    return len(log_w) / np.exp(log_w).max()


def any_step(theta, step, *, gain, kl, delta, **options):  # the constraint is looked at, and not kept
    return Backtracked(theta + step, 1.0, gain(theta + step), kl(theta + step), 1)


def one_behaviour(f):  # all episodes as if the first behaviour had made them
    def mistaken(policy, theta, batch, makers, **options):
        return f(policy, theta, batch, [dataclasses.replace(makers[0], count=batch.n_episodes)], **options)

    return mistaken


FAULTS = [
    ("W1", ratios, "log_ratios", scaled(ratios.log_ratios, 0.5)),
    ("W1", ratios, "trajectory_ratio", estimators.step_ratio),
    ("W2", ratios, "OffPolicyGradient", lambda psi, **o: estimators.OffPolicyGradient(psi, estimators.step_ratio, **o)),
    ("W2", off_policy, "score_function_estimate", at_the_behaviour(off_policy.score_function_estimate)),
    ("W3", ratios, "PerDecisionGradient", CountedTwice),
    ("W3", off_policy, "causal_ratio", without_the_last),
    ("W4", states, "causal_ratio", without_the_last),
    ("W4", states, "step_ratio", estimators.trajectory_ratio),
    ("W4", states, "local_surrogate", scaled(states.local_surrogate, 1.001)),
    ("W5", weights, "Clipped", lambda c: estimators.Clipped(1.01 * c)),
    ("W5", weights, "self_normalised", normalised_over_rows),
    ("W5", weights, "self_normalised", estimators.importance),
    ("W5", weights, "effective_sample_size", unequal),
    ("W6", weights, "backtrack", any_step),
    ("W6", geometry.LocalGeometry, "kl_new_old", geometry.LocalGeometry.kl_old_new),
    ("W6", weights, "step_ratio", estimators.trajectory_ratio),
    ("W7", off_policy, "trajectory_ratio", of_the_batch),
    ("W7", off_policy, "causal_ratio", without_the_last),
    ("W8", states, "causal_ratio", of_the_batch),
    ("W8", states, "step_ratio", estimators.causal_ratio),
    ("W9", states, "trajectory_ratio", estimators.step_ratio),
    ("W9", states, "ratio_second_moments", swapped(states.ratio_second_moments)),
    ("W10", behaviours, "balance_log_weights", one_behaviour(behaviours.balance_log_weights)),
    ("W10", weights, "BalanceHeuristic", lambda psi, makers: estimators.PolicyGradient()),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("id", "where", "name", "wrong"), FAULTS)
def test_a_planted_fault_is_seen(monkeypatch, id, where, name, wrong, seed):
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], seed)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error
