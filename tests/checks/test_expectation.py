"""Where a check's right answers come from: actions found by asking, quadrature, derivatives."""

import math

import numpy as np
import pytest

from npgrad.checks import check_distribution
from npgrad.checks.actions import Column, columns
from npgrad.checks.derivatives import BY_COMPLEX_STEP, BY_DIFFERENCES, NearKink, choose
from npgrad.checks.quadrature import grid
from npgrad.errors import InvalidInput


class OneNumber:
    """Base of distributions over one real number, y = (place, log of scale), drawn from one uniform."""

    n_y = 2
    act_shape = (1,)
    act_dtype = np.dtype(np.float64)
    draws = ("uniform",)

    def check_actions(self, act):
        if act.ndim != 2 or act.shape[1] != 1:
            raise InvalidInput("act is not (T, 1)")

    def mode(self, y):
        return y[:, :1].astype(np.float64)

    def z(self, y, act):
        return ((act[:, 0] - y[:, 0]) * np.exp(-y[:, 1])).astype(y.dtype)

    def of_z(self, y, in_z, z):
        """The score of log p = g(z) − log σ from g'(z)."""
        return np.stack([-in_z * np.exp(-y[:, 1]), -in_z * z - 1], axis=1)


class Laplace(OneNumber):
    """A kink at its mode; |z| does not take complex numbers."""

    def log_prob(self, y, act):
        return -np.abs(self.z(y, act)) - y[:, 1] - math.log(2)

    def score(self, y, act):
        return self.of_z(y, -np.sign(self.z(y, act)), self.z(y, act))

    def draw(self, y, noise):
        u = noise - 0.5
        return (y[:, :1] - np.exp(y[:, 1:]) * np.sign(u) * np.log1p(-2 * np.abs(u))).astype(np.float64)

    def entropy(self, y):
        return y[:, 1] + (1 + math.log(2))

    def entropy_grad(self, y):
        return np.tile(np.array([0, 1], y.dtype), (len(y), 1))


class Cauchy(OneNumber):
    """Tails so heavy that it has no mean."""

    def log_prob(self, y, act):
        return -np.log1p(self.z(y, act) ** 2) - y[:, 1] - math.log(math.pi)

    def score(self, y, act):
        z = self.z(y, act)
        return self.of_z(y, -2 * z / (1 + z * z), z)

    def draw(self, y, noise):
        return (y[:, :1] + np.exp(y[:, 1:]) * np.tan(np.pi * (noise - 0.5))).astype(np.float64)


class Kumaraswamy(OneNumber):
    """p = αβ x^{α−1} (1 − x^α)^{β−1} on (0, 1), α = 1 + exp y_0, β = 1 + exp y_1."""

    def check_actions(self, act):
        super().check_actions(act)
        if ((act <= 0) | (act >= 1)).any():
            raise InvalidInput("act is not in (0, 1)")

    def log_prob(self, y, act):
        (a, b), x = 1 + np.exp(y.T), act[:, 0]
        return (np.log(a * b) + (a - 1) * np.log(x) + (b - 1) * np.log1p(-(x**a))).astype(y.dtype)

    def score(self, y, act):
        (a, b), log_x = 1 + np.exp(y.T), np.log(act[:, 0])
        power = np.exp(a * log_x)
        in_a, in_b = 1 / a + log_x - (b - 1) * power * log_x / (1 - power), 1 / b + np.log1p(-power)
        return np.stack([in_a * (a - 1), in_b * (b - 1)], axis=1).astype(y.dtype)

    def draw(self, y, noise):
        a, b = 1 + np.exp(y.T.astype(np.float64))
        return ((1 - (1 - noise[:, 0]) ** (1 / b)) ** (1 / a))[:, None]

    def mode(self, y):
        a, b = 1 + np.exp(y.T.astype(np.float64))
        return (((a - 1) / (a * b - 1)) ** (1 / a))[:, None]


@pytest.mark.parametrize("distribution", [Laplace(), Cauchy(), Kumaraswamy()])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_kinks_heavy_tails_and_bounds_are_integrated(distribution, seed):
    report = check_distribution(distribution, seed=seed)
    report.raise_if_failed()
    (total,) = [line for line in report.lines if line.statement.startswith("∫ p(a) da = 1")]
    assert total.tolerance == 1e-10
    assert total.residual < 1e-13
    differences = [line for line in report.lines if line.statement == "score = ∂ log p/∂y, by central differences"]
    assert bool(differences) == isinstance(distribution, Laplace)


def test_a_support_that_moves_with_y_is_no_density_to_differentiate():
    """L6: U(0, θ) has ∫ ∂p/∂θ ≠ ∂/∂θ ∫ p, so that E score is not 0."""

    class UpToScale(OneNumber):
        n_y = 1

        def log_prob(self, y, act):
            x, log_end = act[:, 0], y[:, 0]
            return np.where((x > 0) & (x < np.exp(log_end.real)), -log_end, -np.inf).astype(y.dtype)

        def score(self, y, act):
            return -np.ones_like(y)

        def draw(self, y, noise):
            return (np.exp(y) * noise).astype(np.float64)

        def mode(self, y):
            return (0.5 * np.exp(y)).astype(np.float64)

    report = check_distribution(UpToScale())
    assert any(line.statement.startswith("E score = 0") for line in report.failures)


@pytest.mark.parametrize(
    ("accepts", "example", "found"),
    [
        (lambda a: a in (0, 1, 2), np.array(1), [Column(True, 0, 2)]),
        (lambda a: a >= -3, np.array(0), [Column(True, -3, np.inf)]),
        (lambda a: -2 <= a[0] <= 5, np.array([1.0]), [Column(False, -2, 5)]),
        (lambda a: a[0] in (0, 1) and a[1] < 0.25, np.array([1.0, 0.0]),
         [Column(True, 0, 1), Column(False, -np.inf, 0.25)]),
    ],
)  # fmt: skip
def test_columns_are_found_by_asking(accepts, example, found):
    assert list(columns(accepts, example)) == found


def test_too_many_actions_make_no_grid():
    many = (Column(True, 0, 200),) * 3
    real = (Column(False, -np.inf, np.inf),) * 3
    for kinds in (many, real):
        assert grid(kinds, np.zeros((1, 3)), np.ones((1, 3)), lambda a: np.zeros(1), np.zeros((1, 5, 3))) is None


def test_grids_integrate_polynomials_under_a_gaussian():
    kinds = (Column(False, -np.inf, np.inf),) * 2
    draws = np.random.default_rng(0).normal(size=(1, 1000, 2))
    points = grid(kinds, np.array([[0.3, -0.2]]), np.ones((1, 2)), lambda a: np.zeros(1), draws)
    x, y = points.act[0].T
    density = np.exp(-0.5 * (x**2 + y**2)) / (2 * np.pi)
    p = density * points.weight[0]
    np.testing.assert_allclose([p.sum(), (p * x).sum(), (p * x**2 * y**2).sum()], [1, 0, 1], atol=1e-10)
    assert points.error(density[None]) < 1e-12


@pytest.mark.parametrize(
    "density",
    [
        lambda x: 1.0 * (np.abs(x - 0.1) < 0.5),  # jumps
        lambda x: np.exp(-0.5 * x**2) * (2 + np.cos(90 * x)),  # fine waves
        lambda x: 1 / (1 + np.abs(x)),  # no end
    ],
)
def test_a_grid_knows_what_it_cannot_integrate(density):
    kinds = (Column(False, -np.inf, np.inf),)
    points = grid(kinds, np.zeros((1, 1)), np.ones((1, 1)), lambda a: np.zeros(1), np.zeros((1, 5, 1)))
    assert points.error(density(points.act[..., 0])) > 1e-6
    assert points.error(np.exp(-0.5 * points.act[..., 0] ** 2)) < 1e-15


@pytest.mark.parametrize(
    ("f", "method"),
    [(np.exp, BY_COMPLEX_STEP), (np.tanh, BY_COMPLEX_STEP), (np.abs, BY_DIFFERENCES), (np.real, BY_DIFFERENCES),
     (lambda x: x.astype(float) ** 2, BY_DIFFERENCES), (lambda x: [][0] if x.dtype.kind == "c" else x, BY_DIFFERENCES)],
)  # fmt: skip
def test_the_method_is_chosen_by_trying(f, method):
    assert choose(f, np.array([0.3, -0.7])) is method


@pytest.mark.parametrize("method", [BY_COMPLEX_STEP, BY_DIFFERENCES])
def test_both_methods_differentiate(method):
    x, v = np.array([0.3, -0.7]), np.array([1.0, 2.0])
    np.testing.assert_allclose(method.along(np.sin, x, v), np.cos(x) * v, rtol=method.tolerance / 10)
    J = method.jacobian(lambda t: np.outer(t, t), x, np.array([1]))
    np.testing.assert_allclose(J[..., 0], [[0, 0.3], [0.3, -1.4]], rtol=method.tolerance / 10, atol=1e-12)
    rows = method.jacobian_of_rows(lambda a: a[:, :1] * a, np.array([[2.0, 5.0]]))
    np.testing.assert_allclose(rows, [[[4, 0], [5, 2]]], rtol=method.tolerance / 10, atol=1e-10)


def test_differences_do_not_straddle_a_kink_unnoticed():
    with pytest.raises(NearKink, match="another seed"):
        BY_DIFFERENCES.along(np.abs, np.array([1e-9]), np.ones(1))
    near = BY_DIFFERENCES.along(np.abs, np.array([5e-5]), np.ones(1))  # between the two steps
    np.testing.assert_allclose(near, 1, rtol=1e-9)
