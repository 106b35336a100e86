import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.distributions import DiagonalGaussian, GaussianMixture, provides
from npgrad.distributions.quadrature import panels
from npgrad.errors import NotImplementedBy
from tests import naive
from tests.distributions.rows import arrays, assert_close, assert_contract, assert_gradients

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@st.composite
def cases(draw, most=3, rows=3):
    k, M, T = draw(st.integers(1, most)), draw(st.integers(1, 3)), draw(st.integers(1, rows))
    pi = GaussianMixture(k, M)
    y = draw(arrays((T, pi.n_y), 1.0))
    y[:, M : M + M * k] *= draw(st.sampled_from([1.0, 5.0]))  # components apart, or not
    return pi, y, draw(arrays((T, k), 3.0)), draw(arrays((T, pi.n_y))), draw(arrays((T, pi.n_y)))


@given(cases())
@settings(max_examples=50, deadline=None)
def test_gradients_are_those_of_complex_step(case):
    assert_gradients(*case)


@given(cases())
@settings(max_examples=15, deadline=None)
def test_contract(case):
    pi, y, _, y_other, _ = case
    noise = np.random.default_rng(0).normal(size=(len(y), 1 + pi.k))
    noise[:, 0] = np.abs(np.sin(noise[:, 0]))
    assert_contract(pi, y, y_other, noise)


@given(cases())
@settings(max_examples=30, deadline=None)
def test_log_prob_is_the_naive_one(case):
    pi, y, act, _, _ = case
    M, shape = pi.components, (len(y), pi.components, pi.k)
    weights = np.exp(y[:, :M]) / np.exp(y[:, :M]).sum(axis=1, keepdims=True)
    means, stds = y[:, M : M + M * pi.k].reshape(shape), np.exp(y[:, M + M * pi.k :]).reshape(shape)
    act = means[:, 0] + 0.5 * stds[:, 0] * act  # near a component: the naive density underflows elsewhere
    np.testing.assert_allclose(pi.log_prob(y, act), naive.mixture_log_density(act, weights, means, stds), 1e-10, 1e-10)


@given(cases(most=1, rows=1))
@settings(max_examples=30, deadline=None)
def test_density_and_score_integrate_to_one_and_zero(case):
    pi, y, _, _, _ = case
    M = pi.components
    edges = np.sort((y[:, M : 2 * M, None] + np.exp(y[:, 2 * M :, None]) * np.linspace(-9, 9, 37)).ravel())
    a, weight = panels(edges, 20)
    rows = np.repeat(y, len(a), axis=0)
    p = weight * np.exp(pi.log_prob(rows, a[:, None]))
    assert p.sum() == pytest.approx(1, abs=1e-12)
    score = pi.score(rows, a[:, None])
    assert_close(p @ score, np.zeros(pi.n_y), 1e-12 * np.abs(score).max())
    h = -p @ pi.log_prob(rows, a[:, None])
    assert_close(pi.entropy(y), [h], 1e-11)


@given(cases())
@settings(max_examples=20, deadline=None)
def test_one_component_is_the_gaussian(case):
    k = case[0].k
    one, gaussian = GaussianMixture(k, 1), DiagonalGaussian(k)
    y, act = case[1][:, : one.n_y], case[2]
    assert_close(one.log_prob(y, act), gaussian.log_prob(y[:, 1:], act))
    assert_close(one.score(y, act)[:, 1:], gaussian.score(y[:, 1:], act))
    assert (one.mode(y) == gaussian.mode(y[:, 1:])).all()
    if k == 1:
        assert_close(one.entropy(y), gaussian.entropy(y[:, 1:]))
        scale = 1 + np.exp(-y[:, 2].min())  # that of ∂/∂μ
        assert_close(one.entropy_grad(y)[:, 1:], gaussian.entropy_grad(y[:, 1:]), 1e-12 * scale)


@pytest.mark.parametrize(
    ("weights", "means", "stds"),
    [
        ((0.3, 0.7), (0.0, 1.0), (1.0, 1e-6)),
        ((0.5, 0.5), (-3.0, 3.0), (1.0, 0.2)),
        ((0.999, 0.001), (0, 50), (1, 9)),
        ((0.5, 0.5), (3, 3), (1e-9, 1)),
    ],
)
def test_entropy_against_twenty_five_digits(weights, means, stds):
    y = np.concatenate([np.log(weights), means, np.log(stds)])[None]
    with mpmath.workdps(25):
        parts = [(mpmath.mpf(w), mpmath.mpf(m), mpmath.mpf(s)) for w, m, s in zip(weights, means, stds, strict=True)]

        def p(x):
            return sum(w * mpmath.npdf(x, m, s) for w, m, s in parts)

        edges = sorted(m + s * z for _, m, s in parts for z in range(-10, 11, 2))
        h = -mpmath.quad(lambda x: p(x) * mpmath.log(p(x)), edges, maxdegree=5)
    assert GaussianMixture(1, 2).entropy(y)[0] == pytest.approx(float(h), rel=1e-12)


def test_scales_far_apart_stay_finite():
    pi = GaussianMixture(1, 2)
    y = np.array([[0.0, -np.inf, 0.0, 5.0, np.log(1e-12), np.log(1e12)], [-1e6, 1e6, 0.0, 5.0, 27.6, -27.6]])
    act = np.array([[1e-12], [5.0]])
    assert_close(pi.log_prob(y, act), DiagonalGaussian(1).log_prob(np.array([y[0, [2, 4]], y[1, [3, 5]]]), act), 1e-14)
    assert np.isfinite(pi.score(y, act)).all()
    assert np.isfinite(pi.score(y.astype(np.float32), act)).all()
    assert np.isfinite(pi.entropy_grad(y)).all()


def test_components_are_drawn_with_their_weights_and_the_best_is_the_mode():
    pi = GaussianMixture(2, 2)
    y = np.concatenate([np.log([0.25, 0.75]), [-1, -2, 3, 4], np.log([0.1, 0.1, 0.5, 2.0])])[None]
    noise = np.array([[0.25 - 1e-12, 1.0, -1.0], [0.25 + 1e-12, 1.0, -1.0]])
    assert_close(pi.draw(np.repeat(y, 2, axis=0), noise), [[-0.9, -2.1], [3.5, 2.0]])
    assert (pi.mode(y) == [[-1, -2]]).all()


def test_what_has_no_closed_form_is_absent():
    assert not any(provides(GaussianMixture(1, 2), name) for name in ("kl", "kl_grad", "fisher"))
    assert provides(GaussianMixture(1, 2), "entropy")
    assert not provides(GaussianMixture(2, 2), "entropy")
    with pytest.raises(NotImplementedBy, match=r"has no entropy_grad, it provides log_prob, score; choose"):
        GaussianMixture(2, 2).entropy_grad(np.zeros((1, 10)))
