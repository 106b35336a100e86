"""Section 6: every row on problems of many sizes, and with a mistake in what it judges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import critics
from npgrad.critics import Values
from npgrad.verify import CATALOGUE, Finding, run
from npgrad.verify import section_6_action_values as of_actions
from npgrad.verify import section_6_bootstrapping as bootstrapping
from npgrad.verify import section_6_values as of_states
from tests.verify.random_problems import problems

ROWS = CATALOGUE.section(6)


@settings(max_examples=30)
@given(st.sampled_from(ROWS), problems)
def test_rows_hold_on_problems_of_other_sizes(row, problem):
    found = row.check(problem)
    residual = found.residual if isinstance(found, Finding) else found
    assert residual <= row.tolerance, f"{row.id}: {residual:.1e}"


def with_bootstrap(f):  # as if nothing ever terminated
    def mistaken(batch, values, *args, **options):
        gamma = args[0] if args else options.get("gamma", 1.0)
        out = np.array(f(batch, values, *args, **options))
        last = batch.offsets[1:] - 1
        out[last] += gamma * values.final * batch.terminated
        return out

    return mistaken


def without_bootstrap(f):  # as if every segment had terminated
    return lambda batch, values, *args, **more: f(batch, Values(values.rows, 0 * values.final), *args, **more)


def through_the_target(critic, batch, targets, **options):  # the full gradient in place of the semi-gradient
    return critics.bellman_error(critic, batch, n=1, **options)


def held(critic, batch, *, gamma, n=1, weights=None):  # the semi-gradient in place of the full one
    targets = critics.n_step_return(batch, critic(batch), gamma, n)
    return critics.fit_error(critic, batch, targets, weights=weights)


def unclipped(batch, values, rho, gamma=1.0, gae_lambda=1.0, rho_bar=1.0, c_bar=1.0):
    return critics.vtrace(batch, values, rho, gamma, gae_lambda, np.inf, c_bar)


def without_weights(f):
    return lambda *args, weights=None, **options: f(*args, **options)


def pulled_to_zero(phi, phi_next, rew, *, gamma, w, n_iterations=1, weights=None, ridge=0.0):  # λ‖w‖², not ‖w − w_l‖²
    for _ in range(n_iterations):
        w = critics.ridge_regression(phi, rew + gamma * phi_next @ w, weights=weights, ridge=ridge)
    return w


def at_the_action_taken(critic, batch, probabilities, gamma=1.0):  # max in place of the mean over π
    greedy = np.eye(probabilities.shape[1])[critic.outputs(batch).argmax(axis=1)]
    return critics.action_targets(critic, batch, greedy, gamma)


def scaled(f, factor):
    return lambda *args, **options: factor * f(*args, **options)


def half(f):
    def halved(*args, **options):
        loss, gradient = f(*args, **options)
        return loss, gradient / 2

    return halved


FAULTS = [
    ("V1", of_states, "ridge_regression", without_weights(critics.ridge_regression)),
    ("V1", of_states, "fit_error", half(critics.fit_error)),
    ("V1", of_states, "reward_to_go", lambda batch, gamma: critics.reward_to_go(batch)),
    ("V2", of_states, "fitted_iteration", pulled_to_zero),
    ("V2", of_states, "lstd", lambda phi, after, rew, **o: critics.ridge_regression(phi, rew, weights=o["weights"])),
    ("V2", of_states, "features", lambda critic, batch: critics.features(critic, batch)[::-1]),
    ("V3", of_actions, "action_targets", at_the_action_taken),
    ("V3", of_actions, "fit_compatible", without_weights(of_actions.fit_compatible)),
    ("V3", of_actions, "action_features", lambda *args: critics.action_features(*args)[::-1]),
    ("V3", of_actions, "fit_error", half(critics.fit_error)),
    ("V4", critics.returns, "bootstrap", lambda batch, values: 0 * values.final),
    ("V4", critics.returns, "bootstrap", lambda batch, values: values.final),
    ("V5", bootstrapping, "fit_error", through_the_target),
    ("V5", bootstrapping, "bellman_error", held),
    ("V5", bootstrapping, "n_step_return", with_bootstrap(critics.n_step_return)),
    ("V6", bootstrapping, "n_step_return", without_bootstrap(critics.n_step_return)),
    ("V6", bootstrapping, "n_step_return", lambda b, v, gamma, n: critics.n_step_return(b, v, gamma**2, n)),
    ("V7", bootstrapping, "vtrace", unclipped),
    ("V7", bootstrapping, "log_ratios", scaled(bootstrapping.log_ratios, -1)),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("id", "where", "name", "wrong"), FAULTS)
def test_a_planted_fault_is_seen(monkeypatch, id, where, name, wrong, seed):
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], seed)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error
