"""Section 5: every row on problems of many sizes, with a mistake in what it judges, and the examples it names."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import baselines, critics, estimators
from npgrad.baselines import optimal
from npgrad.estimators import Estimate, monte_carlo
from npgrad.oracle import causal_moments, lqr_moments, variance_parts
from npgrad.verify import CATALOGUE, Finding, run
from npgrad.verify import section_5_baselines as fixed
from npgrad.verify import section_5_in_batch as in_batch
from npgrad.verify import section_5_optimal as best
from npgrad.verify import section_5_orderings as orderings
from npgrad.verify import section_5_variance as variance
from npgrad.verify.on_tables import state_baseline
from tests.verify.random_problems import problems

ROWS = [row for row in CATALOGUE.section(5) if row.kind == "exact"]


@settings(max_examples=12)
@given(st.sampled_from(ROWS), problems)
def test_rows_hold_on_problems_of_other_sizes(row, problem):
    found = row.check(problem)
    residual = found.residual if isinstance(found, Finding) else found
    assert residual <= row.tolerance, f"{row.id}: {residual:.1e}"


def of_the_action(b):  # a "state" baseline that looks at r_t
    return lambda psi, batch: batch.rew


def one_step_late(values):  # b_{t+1} at t: no bias, another variance
    return baselines.TimeBaseline(np.append(values[1:], 0.0))


def mean_of_all_but_one(psi, batch):  # over N, not N − 1
    n = batch.n_episodes
    return (n - 1) / n * baselines.leave_one_out(psi, batch)


def mean_of_all_but_one_return(psi, batch):
    return (batch.n_episodes - 1) / batch.n_episodes * baselines.leave_one_out_return(psi, batch)


def mean_over_rows(psi, batch):  # not over those alive at t, but of all times
    return np.full(len(psi), psi.mean())


def own_fold(fit, n_folds=2):  # fitted on the fold that it is used on
    return baselines.BiasedFitted(fit)


def without_cross_terms(mdp, policy, theta, **options):  # coordinates as if they were independent
    m = causal_moments(mdp, policy, theta, **options)
    return dataclasses.replace(m, covariance=np.diag(m.variances))


def over_n(method):  # 1/N Σ‖g_i‖² − ‖ĝ‖² over N
    return property(lambda self: method.fget(self) * (self.n_episodes - 1) / self.n_episodes)


def means(scores, psi, offsets, cells, n_cells, weights):  # V^π
    p = np.repeat(weights, np.diff(offsets))
    return np.bincount(cells, p * psi, n_cells) / np.maximum(np.bincount(cells, p, n_cells), 1e-300)


def unweighted(scores, returns, weights=None):  # E[R]
    return float(np.average(returns, weights=weights))


FAULTS = [
    ("B1", fixed, "state_baseline", of_the_action),
    ("B1", monte_carlo, "reward_to_go", lambda batch, gamma: critics.reward_to_go(batch)),
    ("B2", fixed, "TimeBaseline", one_step_late),
    ("B2", fixed, "state_baseline", lambda b: state_baseline(1.01 * b)),
    ("B3", in_batch, "leave_one_out", mean_of_all_but_one),
    ("B3", in_batch, "leave_one_out", baselines.biased_batch_mean),
    ("B3", in_batch, "biased_alive_mean", mean_over_rows),
    ("B3", in_batch, "biased_alive_mean", baselines.biased_batch_mean),
    ("B3", in_batch, "CrossFitted", own_fold),
    ("B3", in_batch, "BiasedFitted", lambda fit: baselines.no_baseline),
    ("B4", variance, "GAE", lambda V, gamma, lam: estimators.GAE(V, gamma, 0.9 * lam)),
    ("B4", monte_carlo, "total_return", lambda batch, gamma: critics.total_return(batch)),
    ("B4", variance, "lqr_moments", lambda lqr, K, sigma: lqr_moments(lqr, K, sigma=1.01 * sigma)),
    ("B4", variance, "causal_moments", without_cross_terms),
    ("B5", best, "optimal_constant", unweighted),
    ("B5", best, "optimal_per_coordinate", lambda g, R, p: np.full(g.shape[1], unweighted(g, R, p))),
    ("B5", best, "leave_one_out_optimal", optimal.biased_optimal),
    ("B6", variance, "state_baseline", lambda b: state_baseline(1.01 * b)),
    ("B6", monte_carlo, "reward_to_go", critics.total_return),
    ("B7", fixed, "state_baseline", lambda b: fixed.ConstantBaseline(b.mean())),
    ("B8", Estimate, "variance", over_n(Estimate.variance)),
    ("B8", variance, "variance_parts", lambda *args, baseline: variance_parts(*args)),
    ("B9", fixed, "leave_one_out_return", mean_of_all_but_one_return),
    ("B9", fixed, "leave_one_out", lambda psi, batch: psi),
    ("B10", variance, "ConstantBaseline", lambda b: baselines.leave_one_out),
    ("B11", in_batch, "leave_one_out_return", in_batch.biased_batch_mean_return),
    ("B12", best, "best_state_baseline", means),
    ("B13", orderings, "PerDecisionGradient", lambda **o: estimators.OffPolicyGradient(orderings.TO_GO.weights, **o)),
    ("B13", orderings, "AllActions", lambda q, **o: estimators.AllActions(q, 0.9, **o)),
    ("B13", orderings, "state_baseline", lambda b: baselines.ConstantBaseline(b.mean())),
]


@pytest.mark.parametrize(("id", "where", "name", "wrong"), FAULTS)
def test_a_planted_fault_is_seen(monkeypatch, id, where, name, wrong):
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], 0)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error


def test_every_row_has_a_fault_that_it_sees():
    assert {id for id, *_ in FAULTS} == {row.id for row in CATALOGUE.section(5)}


def test_each_counter_example_raises_the_variance():
    numbers = list(run(["B13"])[0].numbers.items())
    pairs = [(less, more) for less, more in zip(numbers[::2], numbers[1::2], strict=True)]
    assert len(pairs) == 6
    for (name, less), (other, more) in pairs:
        assert name.split(":")[0] == other.split(":")[0]
        assert Fraction(less) < Fraction(more)


def test_what_explain_shows():
    numbers = run(["B8"])[0].numbers
    value, width = map(float, numbers["by a sample"].split(" ± "))
    assert abs(value - numbers["Var ĝ, N = 2000"]) < width
    assert numbers["signal to noise, N = 2000"] > 1
    of_units = run(["B11"])[0].numbers
    limits = [v for name, v in of_units.items() if "limit" in name]
    thousands = [v for name, v in of_units.items() if "1000 Var" in name]
    np.testing.assert_allclose(thousands, limits, rtol=0.01)
