"""Section 4: every row on problems of many sizes, with a mistake in what it judges, and the examples it names."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import critics, estimators, kernels
from npgrad.critics import ActionValueCritic, returns
from npgrad.estimators import entropy, monte_carlo
from npgrad.oracle import LQR, gradient, objective
from npgrad.verify import CATALOGUE, Finding, run
from npgrad.verify import section_4_continuous as continuous
from npgrad.verify import section_4_discounting as discounting
from npgrad.verify import section_4_monte_carlo as whole
from npgrad.verify import section_4_perturbation as perturbation
from npgrad.verify import section_4_values as of_values
from npgrad.verify.smallest import bandit, gate, in_turn, repeated, wait
from npgrad.verify.tabular_cases import table_policy
from tests.verify.random_problems import problems

ROWS = [row for row in CATALOGUE.section(4) if row.kind in ("exact", "identity")]


@settings(max_examples=30)
@given(st.sampled_from(ROWS), problems)
def test_rows_hold_on_problems_of_other_sizes(row, problem):
    found = row.check(problem)
    residual = found.residual if isinstance(found, Finding) else found
    assert residual <= row.tolerance, f"{row.id}: {residual:.1e}"


def scaled(f, factor):
    return lambda *args, **options: factor * f(*args, **options)


def late(f):  # the reward that follows the next action
    def mistaken(batch, *args):
        rew = np.append(batch.rew[1:], 0.0)
        rew[batch.offsets[1:] - 1] = 0
        return f(dataclasses.replace(batch, rew=rew), *args)

    return mistaken


def strictly_past(gamma, keep_per_episode):  # Σ_{t<t'} f_t
    def estimator(policy, theta, batch):
        f = policy.score(theta, batch.obs, batch.act)
        rew, g = batch.rew * gamma**batch.time, np.zeros((batch.n_episodes, len(theta)))
        for i, (a, b) in enumerate(zip(batch.offsets[:-1], batch.offsets[1:], strict=True)):
            g[i] = rew[a:b] @ (np.cumsum(f[a:b], axis=0) - f[a:b])
        return estimators.Estimate.of_terms(g)

    return estimator


def from_the_second_reward(f):  # Σ_{k>t} in place of Σ_{k≥t}
    return lambda batch, gamma=1.0: f(batch, gamma) - batch.rew


def always_with_power(method):  # discount_states is not looked at
    return lambda self, batch: method(dataclasses.replace(self, discount_states=True), batch)


def never_with_power(method):
    return lambda self, batch: method(dataclasses.replace(self, discount_states=False), batch)


def without_later_entropies(rew, h, offsets, gamma, beta, out):
    kernels.reward_to_go(rew, offsets, gamma, out)


def without_half(epsilon, central=True, common=True):  # divided by ε, not 2ε
    correct = estimators.FiniteDifferences(epsilon, central, common)
    return lambda objective, theta: estimators.Estimate.of_terms(
        (1 + central) * np.asarray(correct(objective, theta).per_episode)
    )


def own_noise(epsilon, central=True, common=True):  # no random number is ever common
    return estimators.FiniteDifferences(epsilon, central, False)


def mean_of_powers(f):  # of γ^t over the states of an episode: normalised
    return lambda *args: f(*args) / f(*args).sum()


def undiscounted(action_gradient, discount=1.0, keep_per_episode=False):
    return estimators.DeterministicGradient(action_gradient, keep_per_episode=keep_per_episode)


FAULTS = [
    ("P1", monte_carlo, "total_return", late(monte_carlo.total_return)),
    ("P1", monte_carlo, "total_return", lambda batch, gamma: critics.total_return(batch)),
    ("P2", whole, "RewardsTimesPastScores", strictly_past),
    ("P3", monte_carlo, "reward_to_go", from_the_second_reward(monte_carlo.reward_to_go)),
    ("P3", monte_carlo, "reward_to_go", monte_carlo.total_return),  # on rewards that look ahead
    ("P4", monte_carlo.PolicyGradient, "weights", never_with_power(monte_carlo.PolicyGradient.weights)),
    ("P5", monte_carlo.PolicyGradient, "weights", always_with_power(monte_carlo.PolicyGradient.weights)),
    ("P6", ActionValueCritic, "columns", lambda self, act: np.zeros_like(act)),
    ("P7", returns, "bootstrap", lambda batch, values: values.final),  # on termination, too
    ("P7", of_values, "TDResidual", lambda V, gamma: estimators.TDResidual(V, 0.9 * gamma)),
    ("P8", returns, "bootstrap", lambda batch, values: 0 * values.final),  # not where a segment was cut
    ("P8", of_values, "gae", lambda batch, V, gamma, gae_lambda: critics.gae(batch, V, gamma, gae_lambda**2)),
    ("P9", whole, "log_surrogate", scaled(whole.log_surrogate, 0.5)),
    ("P9", whole, "unit_weights", lambda batch: np.full(batch.n_steps, 1 / batch.n_steps)),
    ("P10", perturbation, "FiniteDifferences", without_half),
    ("P10", perturbation, "FiniteDifferences", own_noise),
    ("P11", perturbation, "EvolutionStrategy", lambda s, *a, **o: estimators.EvolutionStrategy(1.01 * s, *a, **o)),
    ("P11", perturbation, "centred_ranks", lambda J: J - J.mean()),
    ("P12", kernels, "entropy_return", without_later_entropies),
    ("P12", entropy, "log_probs", scaled(entropy.log_probs, -1)),
    ("P12", whole, "EntropyRegularised", lambda beta, gamma, b, keep: whole._bonus(gamma, beta)),
    ("P13", of_values, "AllActions", lambda q, *a, **o: estimators.AllActions(lambda b: q(b)[:, ::-1], *a, **o)),
    ("P14", discounting, "TDResidual", lambda V: estimators.TDResidual(V, 0.9)),
    ("P14", discounting, "average_gradient", scaled(discounting.average_gradient, 1.001)),
    ("P15", discounting, "occupancy", mean_of_powers(discounting.occupancy)),
    ("P16", discounting, "stationary_distribution", mean_of_powers(discounting.occupancy)),
    ("P17", monte_carlo.PolicyGradient, "weights", always_with_power(monte_carlo.PolicyGradient.weights)),
    ("P17", monte_carlo.PolicyGradient, "weights", never_with_power(monte_carlo.PolicyGradient.weights)),
    ("P18", LQR, "gradient", scaled(LQR.gradient, 0.5)),
    ("P18", LQR, "difference", scaled(LQR.difference, 1.001)),
    ("P18", LQR, "domination", lambda self, K, sigma: (1.0, 0.5)),
    ("P19", continuous, "DeterministicGradient", undiscounted),
    ("P19", monte_carlo, "reward_to_go", late(monte_carlo.reward_to_go)),
]


@pytest.mark.parametrize(("id", "where", "name", "wrong"), FAULTS)
def test_a_planted_fault_is_seen(monkeypatch, id, where, name, wrong):
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], 0)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error


def test_every_row_has_a_fault_that_it_sees():
    assert {id for id, *_ in FAULTS} == {row.id for row in CATALOGUE.section(4)}


@pytest.mark.parametrize(
    ("mdp", "J"),
    [(bandit([1, 0]), 0.5), (repeated([0, 1], 6), 3.0), (gate(), 0.25), (wait(), 0.75), (wait(-0.5), 0.375)],
)
def test_the_smallest_problems_are_what_they_say(mdp, J):
    policy = table_policy(mdp)
    theta = np.zeros(policy.n_params)
    assert objective(mdp, policy, theta) == pytest.approx(J, abs=1e-15)


def test_in_turn():
    mdp = in_turn([-1.0, 1.0])
    np.testing.assert_array_equal(gradient(mdp, table_policy(mdp), np.zeros(6)), np.zeros(6))
    assert mdp.r[:, 0].tolist() == [-1, 1, 0]


def test_what_explain_shows():
    numbers = {id: run([id])[0].numbers for id in ("P5", "P10", "P17", "P19")}
    assert numbers["P5"]["six tosses: Var of P5"] < numbers["P5"]["six tosses: Var of P3"] / 5
    assert numbers["P10"]["slope of the variance, common noise"] == pytest.approx(-1, abs=0.01)
    assert numbers["P10"]["slope of the variance, own noise"] == pytest.approx(-2, abs=0.01)
    assert numbers["P17"]["gate, P5"] == "0.03125 and 0.0625"
    assert numbers["P19"]["slope, LQR"] == pytest.approx(2, abs=1e-6)
