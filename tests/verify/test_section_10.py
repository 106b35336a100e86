"""Section 10: each row shows its misprint, on problems of other sizes too; if its two forms change places, it fails."""

import dataclasses
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import estimators
from npgrad.baselines import ConstantBaseline, biased_batch_mean, biased_batch_mean_return, leave_one_out_return
from npgrad.critics import reward_to_go
from npgrad.distributions import Categorical, FullGaussian
from npgrad.oracle import StateBaselines, WholeReturnMoments, values
from npgrad.policies.composed import ComposedLinearisation
from npgrad.verify import CATALOGUE, Finding, run
from npgrad.verify import section_10_averages as averages
from npgrad.verify import section_10_baselines as baselines
from npgrad.verify import section_10_derivation as derivation
from npgrad.verify import section_10_estimators as psi
from npgrad.verify import section_10_ratios as ratios
from npgrad.verify import section_10_values as of_values
from npgrad.verify import section_10_variance as variance
from npgrad.verify.misprints import TO_GO, WHOLE
from npgrad.verify.on_tables import action_critic
from tests.verify.random_problems import problems

ROWS = CATALOGUE.section(10)


def test_ids():
    assert [row.id for row in ROWS] == [f"X{i}" for i in range(1, 41)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_rows_hold_and_show_the_misprint(row):
    for seed in range(3):
        (result,) = run([row.id], seed)
        assert result.passed, f"{result.residual:.1e}, as printed {result.residual_printed}; {result.error}"
        assert result.residual_printed is not None
        assert result.numbers
        assert result.seconds < 5


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_forms_that_change_places_fail(monkeypatch, row):
    def swapped(residual, printed, numbers):
        return Finding(printed, residual, numbers)

    monkeypatch.setattr(sys.modules[row.check.__module__], "Finding", swapped)
    (result,) = run([row.id])
    assert not result.passed
    assert not result.error


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(ROWS), problems)
def test_rows_hold_on_problems_of_other_sizes(row, problem):
    found = row.check(problem)
    assert found.residual <= row.tolerance, f"{row.id}: {found.residual:.1e}"
    assert found.printed >= 1e-3


def scaled(f, factor):
    return lambda *args, **options: factor * f(*args, **options)


def heavier(f):
    def trajectories(*args, **options):
        t = f(*args, **options)
        return dataclasses.replace(t, prob=1.01 * t.prob)

    return trajectories


def with_now(f):  # the return, and the reward of now once more
    return lambda batch: f(batch) + batch.rew


def reciprocal(f):
    return lambda *args: -f(*args)


def other_product(f):
    return lambda first, *args: f(1 - first, *args)


def without_the_mean(self, y, act):  # ∇h_a alone
    return np.eye(y.shape[1])[act]


def without_later_ratios(keep_per_episode):
    return estimators.OffPolicyGradient(TO_GO.weights, estimators.causal_ratio, keep_per_episode=keep_per_episode)


def at_once(V):  # V_{t+1} for V_t
    return lambda *args: dataclasses.replace(V(*args), V=np.roll(V(*args).V, -1, axis=0))


def undiscounted(f):
    return lambda mdp, *args: f(mdp.replace(gamma=1.0), *args)


def central(f):
    return lambda eps, central: f(eps, central=True)


def strictly_past(keep_per_episode):  # Σ_{t<t'} f_t
    return estimators.ScoreFunction(lambda b: reward_to_go(b) - b.rew, keep_per_episode=keep_per_episode)


def gradient_of(estimator):
    return lambda policy, theta, batch: estimator(policy, theta, batch).gradient


FAULTS = {  # the form that holds made the printed one, or the printed one mended; else a fault in what is measured
    "X1": (FullGaussian, "score", scaled(FullGaussian.score, 0.5)),
    "X2": (baselines, "leave_one_out", biased_batch_mean),
    "X3": (baselines, "leave_one_out_return", biased_batch_mean_return),
    "X4": (psi, "total_return", with_now(psi.total_return)),
    "X5": (ComposedLinearisation, "kl_vjp", scaled(ComposedLinearisation.kl_vjp, 2)),
    "X6": (ratios, "log_ratios", reciprocal(ratios.log_ratios)),
    "X7": (ratios, "_products_from", other_product(ratios._products_from)),
    "X8": (Categorical, "score", without_the_mean),
    "X9": (derivation, "trajectories", heavier(derivation.trajectories)),
    "X10": (psi, "_from_one", lambda of_return: of_return),
    "X11": (psi, "_sums_of_returns", reward_to_go),
    "X12": (ratios, "PerDecisionGradient", without_later_ratios),
    "X13": (variance, "TO_GO", WHOLE),
    "X14": (variance, "ConstantBaseline", lambda b: ConstantBaseline(b / 2)),
    "X15": (variance, "_cross_terms", lambda t, X: 0.0),
    "X16": (StateBaselines, "best", scaled(StateBaselines.best, 1.1)),
    "X17": (averages, "_sum_over_episodes", gradient_of(WHOLE)),
    "X18": (psi, "_with_power", lambda gamma: reward_to_go),
    "X19": (baselines, "values", at_once(values)),
    "X20": (of_values, "values", undiscounted(values)),
    "X21": (of_values, "FiniteDifferences", central(of_values.FiniteDifferences)),
    "X22": (variance, "episode_scores", scaled(variance.episode_scores, 1.01)),
    "X23": (psi, "RewardsTimesPastScores", strictly_past),
    "X24": (of_values, "_without_actions", lambda mdp, pi: mdp),
    "X25": (baselines, "biased_batch_mean_return", leave_one_out_return),
    "X26": (baselines, "reward_to_go", lambda batch: reward_to_go(dataclasses.replace(batch, rew=batch.rew + 1.0))),
    "X27": (derivation, "integral", scaled(derivation.integral, 0.5)),
    "X28": (averages, "_mean_over_rows", gradient_of(TO_GO)),
    "X29": (of_values, "gradient_by_step", scaled(of_values.gradient_by_step, -1)),
    "X30": (derivation, "_path_gradients", scaled(derivation._path_gradients, 1.01)),
    "X31": (derivation, "marginals", scaled(derivation.marginals, 1.01)),
    "X32": (baselines, "_own_return", biased_batch_mean_return),
    "X33": (derivation, "trajectories", heavier(derivation.trajectories)),
    "X34": (WholeReturnMoments, "best_constant", scaled(WholeReturnMoments.best_constant, 5)),
    "X35": (ratios, "_by_weights", lambda p, q, f: p @ f),
    "X36": (averages, "action_critic", lambda Q: action_critic(2 * Q)),
    "X37": (of_values, "_residuals", undiscounted(of_values._residuals)),
    "X38": (of_values, "action_critic", lambda Q: action_critic(np.broadcast_to(Q[0], Q.shape))),
    "X39": (averages, "log_surrogate", scaled(averages.log_surrogate, -1)),
    "X40": (variance, "_cross_terms", lambda t, X: 0.0),
}

MORE = [
    ("X5", ComposedLinearisation, "kl_to", scaled(ComposedLinearisation.kl_to, -1)),
    ("X5", ComposedLinearisation, "kl_from_vjp", scaled(ComposedLinearisation.kl_from_vjp, 0.5)),
    ("X7", ratios, "PerDecisionGradient", without_later_ratios),
    ("X13", variance, "WHOLE", TO_GO),
    ("X22", variance, "WHOLE", TO_GO),
    ("X29", of_values, "reward_to_go", scaled(reward_to_go, 1.01)),
    ("X32", baselines, "leave_one_out_return", biased_batch_mean_return),
]


@pytest.mark.parametrize("id", [row.id for row in ROWS])
def test_a_planted_fault_is_seen(monkeypatch, id):
    where, name, wrong = FAULTS[id]
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id])
    assert not result.passed, f"{id} does not see {name}: {result.residual}, as printed {result.residual_printed}"
    assert not result.error


@pytest.mark.parametrize(("id", "where", "name", "wrong"), MORE)
def test_other_parts_of_a_row_see_faults(monkeypatch, id, where, name, wrong):
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id])
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error


@pytest.mark.parametrize(
    ("id", "numbers"),
    [
        ("X2", [0, 1 / 8, 1 / 4]),
        ("X3", [1 / 8, 1 / 4]),
        ("X7", [1 / 4, 5 / 32]),
        ("X8", [1 / 4, 1 / 16]),
        ("X9", [2]),
        ("X11", [1 / 2, 3 / 4]),
        ("X12", [1 / 8, 0.225]),
        ("X13", [0, 1 / 2, -1]),
        ("X14", [0.1152, 0.0018, 0]),
        ("X15", [1 / 4, 1 / 8]),
        ("X19", [1 / 8, 0]),
        ("X20", [1 / 4, 1 / 2, 1 / 4]),
        ("X22", [1 / 16, -1 / 8]),
        ("X24", [1, 0.3]),
        ("X26", [1 / 4, 1 / 2, -1 / 4]),
        ("X27", [1 / 2, -1 / 2, 1]),
        ("X34", [0.1, 0.5, 0.0288]),
        ("X40", [4, 4, 7 / 16]),
    ],
)
def test_numbers_that_the_errata_page_quotes(id, numbers):
    found = list(CATALOGUE[id](seed=4).numbers.values())
    np.testing.assert_allclose(found[: len(numbers)], numbers, atol=1e-12)
