"""Section 8: every row on problems of many sizes, and with a mistake in what it judges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad import optimizers
from npgrad.estimators import LocalGeometry, surrogate
from npgrad.verify import CATALOGUE, Finding, Problem, run
from npgrad.verify import section_8_ascent as ascent
from npgrad.verify import section_8_fisher as curvature
from npgrad.verify import section_8_steps as steps
from npgrad.verify import section_8_surrogates as surrogates
from tests.verify.random_problems import problems

ROWS = CATALOGUE.section(8)


@settings(max_examples=30)
@given(st.sampled_from(ROWS), problems)
def test_rows_hold_on_problems_of_other_sizes(row, problem):
    found = row.check(problem)
    residual = found.residual if isinstance(found, Finding) else found
    assert residual <= row.tolerance, f"{row.id}: {residual:.1e}"


@pytest.mark.parametrize("seed", [3, 16, 28])
def test_the_pseudo_inverse_leaves_rounding_out(seed):
    """The Fisher matrices of these seeds, summed over all rows, have eigenvalues of 1e-15 that should be 0."""
    for id in ("N2", "N3"):
        assert CATALOGUE[id].check(Problem(seed)).residual < CATALOGUE[id].tolerance


def scaled(f, factor):
    return lambda *args, **options: factor * f(*args, **options)


def transposed(rows, g, damping):  # the small system solved with (Rᵀ)(R) misplaced: R g in place of its solution
    return (g - rows.T @ (rows @ g)) / damping


def without_damping(product, g, *, damping=0.0, **options):
    return optimizers.conjugate_gradient(product, g, **options)


def damped(F, g, damping=0.0):  # always a little
    return optimizers.solve_direct(F, g, damping + 1e-3)


def plain(F, g, damping=0.0):
    return g


def by_the_norm(g, x, delta):  # √(2δ/gᵀg): the length of another metric
    return np.sqrt(2 * delta / (g @ g))


def without_the_two(g, x, delta):  # dᵀFd = δ: X5
    return np.sqrt(delta / (g @ x))


def whole_step(theta, step, *, gain, kl, delta, **options):
    return optimizers.Backtracked(theta + step, 1.0, gain(theta + step), kl(theta + step), 1)


def eager(theta, step, *, gain, kl, delta, **options):  # four halvings at a time
    return optimizers.backtrack(theta, step, gain=gain, kl=kl, delta=delta, shrink=1 / 16)


def clipped_on_both_sides(log_ratio, adv, clip_range):  # the minimum forgotten
    rho = np.exp(log_ratio)
    inside = np.clip(rho, 1 - clip_range, 1 + clip_range)
    return inside * adv, np.where(inside == rho, rho * adv, 0)


def without_the_ratio(log_ratio, adv, clip_range):  # Af in place of ρAf
    value, weight = CLIPPED(log_ratio, adv, clip_range)
    return value, np.where(weight == 0, 0, adv)


CLIPPED, FIT = surrogate.clipped_surrogate, ascent.fit_compatible


class Normalised(optimizers.SGD):
    def step(self, theta, gradient, moments):
        return theta + self.learning_rate * gradient / np.linalg.norm(gradient), moments


class Descent(optimizers.SGD):
    def step(self, theta, gradient, moments):
        return theta - self.learning_rate * gradient, moments


FAULTS = [
    ("N1", LocalGeometry, "kl_new_old", scaled(LocalGeometry.kl_new_old, 2)),
    ("N1", curvature, "fisher", scaled(curvature.fisher, 2)),  # KL ≈ dᵀFd: X5
    ("N1", curvature, "row_weights", lambda t: t.prob[t.batch.segment] * (1 + t.batch.time)),
    ("N2", curvature, "solve_in_sample_space", transposed),
    ("N2", curvature, "conjugate_gradient", without_damping),
    ("N2", curvature, "solve_direct", damped),
    ("N3", steps, "solve_direct", damped),
    ("N3", steps, "solve_direct", plain),
    ("N4", steps, "kl_step_length", by_the_norm),
    ("N4", steps, "kl_step_length", without_the_two),
    ("N4", steps, "backtrack", whole_step),
    ("N4", steps, "backtrack", eager),
    ("N4", LocalGeometry, "kl_new_old", LocalGeometry.kl_old_new),
    ("N5", surrogate, "clipped_surrogate", clipped_on_both_sides),
    ("N5", surrogates, "clipped_surrogate", clipped_on_both_sides),
    ("N5", surrogate, "clipped_surrogate", without_the_ratio),
    ("N6", steps, "SGD", Normalised),
    ("N7", ascent, "solve_direct", damped),
    ("N7", ascent, "fit_compatible", lambda *args, weights: FIT(*args)),
    ("N8", surrogates, "local_surrogate", scaled(surrogates.local_surrogate, -1)),
    ("N8", LocalGeometry, "kl_new_old", scaled(LocalGeometry.kl_new_old, 0.1)),
    ("N9", curvature, "episode_scores", scaled(curvature.episode_scores, 1.001)),
    ("N9", curvature, "fisher", scaled(curvature.fisher, 0.5)),
    ("N10", ascent, "SGD", Descent),
    ("N10", ascent, "solve_direct", scaled(optimizers.solve_direct, -1)),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("id", "where", "name", "wrong"), FAULTS)
def test_a_planted_fault_is_seen(monkeypatch, id, where, name, wrong, seed):
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], seed)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error
