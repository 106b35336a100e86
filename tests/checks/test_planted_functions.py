"""Errors planted in functions: each is caught, and named."""

from dataclasses import dataclass

import numpy as np
import pytest

from npgrad.checks import check_function
from npgrad.functions import MLP, Constant, Linear, Recurrent


class Wrong:
    """A shipped function with other products: each of `wrong` maps (right product, linearisation, arguments)."""

    def __init__(self, function, **wrong):
        self.function, self.wrong = function, wrong

    def __getattr__(self, name):
        return getattr(self.function, name)

    def at(self, theta, obs, offsets=None):
        return WrongLinearisation(self.function.at(theta, obs, offsets), self.wrong)


class WrongLinearisation:
    def __init__(self, lin, wrong):
        self.lin, self.wrong, self.y = lin, wrong, lin.y

    def __getattr__(self, name):
        right = getattr(self.lin, name)
        wrong = self.wrong.get(name, self.wrong.get("all"))
        return right if wrong is None else lambda *args: wrong(right, *args)


@dataclass(frozen=True)
class Net:
    """y = tanh(x W) U, θ = (W, U), written out, with a place for each slip of its backward pass."""

    n_in = n_out = m = 3  # as many hidden units as inputs and outputs: no shape tells a transposed matrix
    n_memory = 0
    slip: str = ""

    @property
    def n_params(self):
        return (self.n_in + self.n_out) * self.m

    def init(self, rng):
        return 0.5 * rng.normal(size=self.n_params)

    def split(self, theta):
        n = self.n_in * self.m
        return theta[:n].reshape(self.n_in, self.m), theta[n:].reshape(self.m, self.n_out)

    def at(self, theta, obs, offsets=None):
        return NetLinearisation(self, theta, np.asarray(obs).astype(theta.real.dtype))

    def advance(self, theta, obs, memory):
        return self.at(theta, obs).y, memory


class NetLinearisation:
    def __init__(self, f, theta, x):
        self.f, self.x, self.dtype = f, x, theta.dtype
        self.W, self.U = f.split(theta)
        z = x @ self.W
        self.h = np.tanh(z)
        self.y = self.h @ self.U
        self.slope = {"slope at z": 1 - z * z, "no slope": np.ones_like(z)}.get(f.slip, 1 - self.h * self.h)

    def vjp_rows(self, w):
        w = np.asarray(w).astype(self.dtype, copy=False)
        U = self.U.T if self.f.slip == "U for its transpose" else self.U
        D = (w @ U.T) * self.slope
        dW = self.x[:, :, None] * D[:, None, :]
        if self.f.slip == "W transposed":
            dW = dW.swapaxes(1, 2)
        dU = self.h[:, :, None] * w[:, None, :]
        return np.concatenate([dW.reshape(len(w), -1), dU.reshape(len(w), -1)], axis=1)

    def vjp(self, w):
        return self.vjp_rows(w).sum(axis=0)

    def vjp_segments(self, w, offsets):
        return np.add.reduceat(self.vjp_rows(w), np.asarray(offsets)[:-1], axis=0)

    def jvp(self, v):
        dW, dU = self.f.split(np.asarray(v).astype(self.dtype, copy=False))
        return ((self.x @ dW) * self.slope) @ self.U + self.h @ dU


class LateRecurrent(Recurrent):
    """Memory is cleared a row after each border."""

    shift = 1

    def at(self, theta, obs, offsets=None):
        edges = np.array([0, len(obs)] if offsets is None else offsets)
        edges[1:-1] += self.shift
        return super().at(theta, obs, edges)


class ForgetfulRecurrent(Recurrent):
    def at(self, theta, obs, offsets=None):
        return super().at(theta, obs, None)


def late(right, w, offsets):
    edges = np.array(offsets)
    edges[1:-1] += 1
    return right(w, edges)


def mean_of_segments(right, w, offsets):
    return right(w, offsets) / np.diff(offsets)[:, None]


def without_bias(right, w, *offsets):
    gradient = right(w, *offsets).copy()
    gradient[..., -2:] = 0
    return gradient


def transposed(right, w, *offsets):
    gradient = right(w, *offsets)
    turned = gradient[..., :6].reshape(*gradient.shape[:-1], 3, 2).swapaxes(-1, -2).reshape(*gradient.shape[:-1], 6)
    return np.concatenate([turned, gradient[..., 6:]], axis=-1)


def in_place(right, w):
    result = right(w)
    w *= 2.0
    return result


def cached(right, w, _buffers={}):  # noqa: B006
    result = right(w)
    _buffers.setdefault(result.dtype, result)[...] = result
    return _buffers[result.dtype]


def doubled(right, w, *offsets):
    return right(w, *offsets).astype(np.float64)


linear, mlp = Linear(3, 2), MLP(3, 2, hidden=(4,), last_scale=1.0)

PLANTED = {
    "sign": (Wrong(mlp, vjp=lambda right, w: -right(w)), "vjp(w) = (∂y", "the sign is flipped"),
    "half": (Wrong(linear, jvp=lambda right, v: 0.5 * right(v)), "jvp(v)", "half of what it should be"),
    "twice": (Wrong(linear, vjp=lambda right, w: 2 * right(w)), "vjp(w) = (∂y", "twice what it should be"),
    "averaged": (Wrong(linear, vjp=lambda right, w: right(w) / len(w)), "vjp(w) = (∂y", "averaged over the T rows"),
    "last row": (Wrong(linear, vjp=lambda right, w: right(w * (np.arange(len(w)) == len(w) - 1)[:, None])),
                 "vjp(w) = (∂y", "the last row alone"),
    "no bias": (Wrong(linear, vjp=without_bias), "vjp(w) = (∂y", "entries 6–7: the gradient of the biases is missing"),
    "no db": (Wrong(linear, jvp=lambda right, v: right(v * (np.arange(8) < 6))), "jvp(v)", "part db is missing"),
    "transposed": (Wrong(linear, vjp=transposed), "vjp(w) = (∂y", "a (3, 2) matrix, are transposed"),
    "dW for dWᵀ": (Net(slip="W transposed"), "vjp_rows(w)", "a (3, 3) matrix, are transposed"),
    "U for Uᵀ": (Net(slip="U for its transpose"), "vjp_rows(w)", "W looks taken for Wᵀ (a transposed Jacobian)"),
    "slope at z": (Net(slip="slope at z"), "vjp_rows(w)", "at z, as 1 − z², instead of at φ(z)"),
    "slope at z in jvp": (Net(slip="slope at z"), "jvp(v)", ""),
    "no slope": (Net(slip="no slope"), "vjp_rows(w)", "the slope φ' of an activation is missing"),
    "rows rolled": (Wrong(mlp, vjp_rows=lambda right, w: np.roll(right(w), 1, axis=0)),
                    "vjp_rows(w)", "row t holds the gradient of the row before it"),
    "w rolled": (Wrong(mlp, vjp_rows=lambda right, w: right(np.roll(w, -1, axis=0))),
                 "vjp_rows(w)", "row t takes w of the row after it"),
    "offsets late": (Wrong(mlp, vjp_segments=late), "vjp_segments", "off by one: borders lie a row too late"),
    "mean of segments": (Wrong(linear, vjp_segments=mean_of_segments), "vjp_segments", "averaged over each segment"),
    "running sums": (Wrong(linear, vjp_segments=lambda right, w, o: right(w, o).cumsum(axis=0)),
                     "vjp_segments", "running sums"),
    "memory late": (LateRecurrent(2, 2, 3), "advance", "off by one: at clears its memory a row too late"),
    "memory kept": (ForgetfulRecurrent(2, 2, 3), "advance", "the offsets are ignored"),
    "in place": (Wrong(linear, vjp=in_place), "no argument is written to", "vjp writes to w"),
    "buffer": (Wrong(linear, vjp=cached), "array of its own", "vjp returns the same memory at every call"),
    "float64": (Wrong(linear, vjp=doubled), "float32", "vjp gives float64"),
    "raises": (Wrong(linear, jvp=lambda right, v: 1 / 0), "jvp(v)", "raised ZeroDivisionError"),
    "wrong shape": (Wrong(linear, jvp=lambda right, v: right(v).T), "jvp(v)", "transposed"),
    "NaN": (Wrong(linear, jvp=lambda right, v: right(v) * np.nan), "jvp(v)", "nan at [0, 0]"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_planted_error_is_caught_and_named(name):
    function, statement, mistake = PLANTED[name]
    report = check_function(function)
    failed = [line for line in report.failures if statement in line.statement]
    assert failed, report
    assert mistake in failed[0].finding, report


@pytest.mark.parametrize("function", [Net(), Wrong(linear), Wrong(mlp, vjp=lambda right, w: right(w))])
def test_the_same_without_the_error_passes(function):
    check_function(function).raise_if_failed()


def test_the_first_failure_is_the_formula_that_is_off():
    report = check_function(PLANTED["sign"][0])
    assert report.failures[0].statement.startswith("vjp(w) = (∂y/∂θ)ᵀ w")


@dataclass(frozen=True)
class Relu:
    """A network that complex numbers do not pass: its kink is in |z|."""

    n_in = 3
    n_out = 2
    n_memory = 0
    n_params = 6
    slope: float = 0.0

    def init(self, rng):
        return rng.normal(size=6)

    def at(self, theta, obs, offsets=None):
        z = np.asarray(obs).astype(theta.real.dtype) @ theta.reshape(3, 2)
        lin = Constant(3, 2).at(theta[:2], obs)  # its products are overwritten
        lin.y = 0.5 * (z + np.abs(z))
        on = np.where(z > 0, 1, self.slope).astype(theta.dtype) if theta.dtype.kind == "f" else 0
        x = np.asarray(obs).astype(theta.real.dtype)
        lin.vjp_rows = lambda w: (x[:, :, None] * (on * w)[:, None, :]).reshape(len(w), 6).astype(theta.dtype)
        lin.vjp = lambda w: lin.vjp_rows(w).sum(axis=0)
        lin.vjp_segments = lambda w, offsets: np.add.reduceat(lin.vjp_rows(w), offsets[:-1], axis=0)
        lin.jvp = lambda v: (on * (x @ v.reshape(3, 2))).astype(theta.dtype)
        return lin

    def advance(self, theta, obs, memory):
        return self.at(theta, obs).y, memory


def test_central_differences_stand_in_for_complex_step():
    report = check_function(Relu())
    report.raise_if_failed()
    assert any("complex step" in text for text in report.skipped)
    assert any("central differences" in line.statement for line in report.lines)
    assert not check_function(Relu(slope=0.01)).passed
