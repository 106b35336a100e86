"""Exercises: solutions pass, templates do not, mistakes are told; and the lectures' closed forms are right."""

from fractions import Fraction
from math import factorial

import numpy as np
import pytest

from npgrad.baselines import no_baseline
from npgrad.errors import UnknownName
from npgrad.estimators import OffPolicyGradient, PolicyGradient
from npgrad.verify.certify import certify, measure
from npgrad.verify.certify_cases import Case, Settings
from npgrad.verify.exercises import EXERCISES, cs224r, cs285, exercise, grade
from npgrad.verify.exercises.chain import Chances, chain, direct_policy
from tests.verify.planted import of_rewards, scaled

ESTIMATORS = {name for name, e in EXERCISES.items() if "def estimator" in e.template}


def written(template):
    """The function of a template."""
    names = {}
    exec(compile(template, "template", "exec"), names)
    return next(f for f in reversed(list(names.values())) if callable(f))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_passes_and_the_template_does_not(name):
    e = EXERCISES[name]
    found = e.grade(e.solution)
    assert found
    assert str(found).startswith("passed: ")
    assert (found.certificate is not None) == (name in ESTIMATORS)
    assert found.certificate is None or found.certificate.unbiased
    assert not grade(name, written(e.template))
    assert e.title in str(e)
    assert e.statement in str(e)


def test_courses():
    assert {e.course.split(",")[0].split(" (")[0] for e in EXERCISES.values()} == {
        "CS285",
        "10-703",
        "CS224R",
        "COL778",
        "Seita",
    }
    assert len(ESTIMATORS) >= 9


def geometric(theta):
    """E K^j, j = 0 … 4, of K ~ Geom: P(K = k) = θ^k (1 − θ); E K(K−1)…(K−n+1) = n! (θ/(1−θ))^n."""
    falling = [factorial(n) * (theta / (1 - theta)) ** n for n in range(5)]
    stirling = [[1], [0, 1], [0, 1, 1], [0, 1, 3, 1], [0, 1, 7, 6, 1]]
    return [sum(c * m for c, m in zip(row, falling, strict=False)) for row in stirling]


@pytest.mark.parametrize("theta", [Fraction(k, 24) for k in range(1, 24)])
def test_the_closed_forms_of_cs285_are_right(theta):
    """In rational numbers, at more θ than the degree of any of the polynomials: so for every θ."""
    E = geometric(theta)
    # F = K/θ − 1/(1−θ), R = K; Σ_t f_t G_t = K(K + 1)/2θ, as the last step has G = 0
    gradient = E[2] / theta - E[1] / (1 - theta)
    whole = E[4] / theta**2 - 2 * E[3] / (theta * (1 - theta)) + E[2] / (1 - theta) ** 2
    to_go = (E[4] + 2 * E[3] + E[2]) / (4 * theta**2)
    assert gradient == (E[2] + E[1]) / (2 * theta) == cs285.gradient_of_chain(theta)
    assert whole - gradient**2 == cs285.variance_of_return(theta)
    assert to_go - gradient**2 == cs285.variance_to_go(theta)
    assert cs285.variance_to_go(theta) < cs285.variance_of_return(theta)


def test_certificates_of_long_chains_have_the_closed_forms():
    """60 steps at θ = 0.3: what is cut off is below 1e-30."""
    case = Case("long", chain(60), direct_policy(), np.array([0.3]))
    for causality, variance in [(False, cs285.variance_of_return), (True, cs285.variance_to_go)]:
        row = measure(PolicyGradient(causality=causality, baseline=no_baseline), case, Settings(n=1))
        assert row.relative_bias < 1e-12
        assert row.gradient[0] == pytest.approx(cs285.gradient_of_chain(0.3), rel=1e-12)
        assert row.variance == pytest.approx(variance(0.3), rel=1e-12)


def test_chances_are_linearised():
    theta, w, v = np.array([0.3]), np.random.default_rng(0).normal(size=(5, 2)), np.array([1.7])
    lin, off = Chances().at(theta, np.ones((5, 1))), np.array([0, 2, 5])
    J = np.imag(Chances().at(theta + 1e-30j, np.ones((5, 1))).y) / 1e-30
    np.testing.assert_allclose(lin.vjp_rows(w)[:, 0], (J * w).sum(axis=1), rtol=1e-14)
    np.testing.assert_allclose(lin.vjp(w)[0], (J * w).sum(), rtol=1e-14)
    np.testing.assert_allclose(lin.jvp(v), J * v, rtol=1e-14)
    segments = [(J * w)[:2].sum(), (J * w)[2:].sum()]
    np.testing.assert_allclose(lin.vjp_segments(w, off)[:, 0], segments, rtol=1e-13)
    np.testing.assert_allclose(np.exp(lin.y).sum(axis=1), 1, rtol=1e-15)
    assert Chances().init(np.random.default_rng(0)) == [0.5]


WRONG = {
    "cs285-variance-return": [
        (lambda th: cs285.variance_of_return(th) + 1 / (1 - th) ** 4, "subtract (E ĝ)²"),
        (cs285.variance_to_go, "that is the variance of the reward-to-go"),
        (lambda th: 1.0, "at (0.1) it gives 1, and exact is 28"),
        (lambda th: np.array(cs285.variance_of_return(th) + 1j), "the answer is complex, expected real numbers"),
    ],
    "cs285-variance-to-go": [(cs285.variance_of_return, "that is the variance of the full return")],
    "cs285-ratios": [(lambda theta, beta, horizon: 1.0, "which is 1 for every policy")],
    "cs224r-baseline": [
        (PolicyGradient(causality=False, baseline=no_baseline), "not the estimator that was asked for"),
        (of_rewards(lambda r: [0.0] * len(r)), "biased"),
    ],
    "cs224r-jacket": [(lambda r: r - r.mean(), "(B3)")],
    "cs224r-off-policy": [(cs224r.reward_to_go, "W10"), (cs224r.common_form, "W4")],
    "cs224r-surrogate": [(scaled(lambda batch: batch.n_episodes), "X17")],
    "col778-gaussian-score": [(lambda a, mu, s: np.linalg.solve(s, a - mu) / 2, "(X1)"), (lambda *_: 0.0, "gives 0")],
    "col778-best-baseline": [(lambda pi, R: pi @ R, "(X14)")],
    "10703-discounted": [(PolicyGradient(gamma=0.9, discount_states=False, baseline=no_baseline), "P5")],
    "10703-a3c": [(lambda p, th, b, v: cs224r.reward_to_go(p, th, b), "V4")],
}


@pytest.mark.parametrize(("name", "answer", "says"), [(n, a, s) for n, pairs in WRONG.items() for a, s in pairs])
def test_wrong_answers_are_told_what_is_wrong(name, answer, says):
    found = grade(name, answer)
    assert not found
    assert says in str(found)


def test_the_template_of_the_pseudo_loss_makes_the_lectures_mistake():
    e = exercise("col778-pseudo-loss")
    found = e.grade(written(e.template))
    assert "X28" in str(found)
    assert found.diagnosis.keys == [("mean over all steps",)]


def test_other_unbiased_answers_pass_where_any_will_do():
    by_library = OffPolicyGradient(PolicyGradient().weights)
    assert grade("cs224r-off-policy", by_library)


def test_the_two_forms_of_seita_are_one_estimator():
    first, second = (certify(EXERCISES[n].solution, library=False) for n in ("seita-second-form", "cs224r-surrogate"))
    for a, b in zip(first.rows, second.rows, strict=True):
        np.testing.assert_allclose(a.moments.covariance, b.moments.covariance, atol=1e-13)


def test_an_answer_that_raises_has_not_passed():
    def broken(policy, theta, batch):
        raise ZeroDivisionError("oh")

    found = grade("cs224r-surrogate", broken)
    assert not found.passed
    assert "ZeroDivisionError: oh (on the problem 'one step'" in str(found)
    assert "a float, expected a function" in str(grade("cs285-gradient", 4.0))


def test_unknown_names():
    with pytest.raises(UnknownName, match="did you mean 'cs285-gradient'"):
        grade("cs285-gradients", None)
