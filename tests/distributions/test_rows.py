"""The checks of `rows.py` find planted errors, each in the row it is in."""

import numpy as np
import pytest

from npgrad.distributions import Categorical, DiagonalGaussian
from tests.distributions.rows import (
    all_actions,
    assert_contract,
    assert_expectations,
    assert_gradients,
    gauss_hermite_actions,
)


def planted(pi, name, wrong):
    """`pi` with the method `name` wrapped by `wrong`."""
    kind = type(pi)
    method = getattr(kind, name)
    return type(kind.__name__, (kind,), {name: lambda self, *args: wrong(method(self, *args), *args)})(
        *vars(pi).values()
    )


GRADIENTS = [
    ("score", lambda row, y, act: -row, "score"),
    ("score", lambda row, y, act: row / 2, "score"),
    ("log_prob", lambda x, y, act: x * 1.01, "score"),
    ("entropy_grad", lambda row, y: -row, "entropy_grad"),
    ("entropy", lambda h, y: 2 * h, "entropy_grad"),
    ("kl_grad", lambda rows, y, q: (rows[1], rows[1]), "kl_grad in y"),
    ("kl_grad", lambda rows, y, q: (rows[0], -rows[0]), "kl_grad in y_other"),
    ("fisher", lambda row, y, v: 2 * row, "fisher"),
]


@pytest.mark.parametrize(("name", "wrong", "row"), GRADIENTS)
@pytest.mark.parametrize("pi", [Categorical(4), DiagonalGaussian(2)])
def test_gradient_check_finds_it(pi, name, wrong, row):
    rng = np.random.default_rng(1)
    y, y_other, v = rng.normal(size=(3, 3, 4))
    act = rng.integers(0, 4, 3) if pi.act_shape == () else rng.normal(size=(3, 2))
    assert_gradients(pi, y, act, y_other, v)
    with pytest.raises(AssertionError, match=f"^{row}"):
        assert_gradients(planted(pi, name, wrong), y, act, y_other, v)


EXPECTATIONS = [
    ("score", lambda row, y, act: row + 0.1, "E score"),
    ("log_prob", lambda x, y, act: x + 0.01, "Σ p"),
    ("entropy", lambda h, y: h + 0.1, "entropy"),
    ("entropy_grad", lambda row, y: row + 0.1, "entropy_grad"),
    ("kl", lambda x, y, q: x / 2, "kl"),
    ("fisher", lambda row, y, v: row / 2, "fisher"),
]


@pytest.mark.parametrize(("name", "wrong", "row"), EXPECTATIONS)
def test_expectation_check_finds_it(name, wrong, row):
    y, y_other, v = np.random.default_rng(1).normal(size=(3, 3, 4))
    pi = Categorical(4)
    assert_expectations(pi, y, y_other, v, all_actions(pi, y, (4,)), 1e-12)
    pi = planted(pi, name, wrong)
    with pytest.raises(AssertionError, match=f"^{row}"):
        assert_expectations(pi, y, y_other, v, all_actions(pi, y, (4,)), 1e-12)
    if name not in ("log_prob", "kl"):
        gaussian = planted(DiagonalGaussian(2), name, wrong)
        with pytest.raises(AssertionError, match=f"^{row}"):
            assert_expectations(gaussian, y, y_other, v, gauss_hermite_actions(gaussian, y), 1e-11)


def mutate(act, y, noise):
    y += 1
    return act


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("draw", mutate),
        ("draw", lambda act, y, noise: act.astype(np.float32)),
        ("mode", lambda act, y: act[:, None]),
        ("entropy", lambda h, y: h + 0 * h.sum() + len(h)),
        ("score", lambda row, y, act: row.astype(np.float64)),
    ],
)
def test_contract_check_finds_it(name, wrong):
    rng = np.random.default_rng(1)
    y, y_other = rng.normal(size=(2, 3, 4))
    assert_contract(DiagonalGaussian(2), y.copy(), y_other, rng.normal(size=(3, 2)))
    with pytest.raises((AssertionError, ValueError)):
        assert_contract(planted(DiagonalGaussian(2), name, wrong), y, y_other, rng.normal(size=(3, 2)))
