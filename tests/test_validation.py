"""Checks of arguments: what passes, what does not, and that messages say expected, got, remedy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import errors, validation
from npgrad.errors import InvalidInput, NonFinite, NpgradError, UnknownName


@pytest.mark.parametrize(
    ("value", "dtype"),
    [([1, 2], "f8"), ([True], "f8"), (np.zeros(2, "f4"), "f4"), (np.zeros(2, "u1"), "f8"), ([1j], "c16"), (3, "f8")],
)
def test_as_float_array(value, dtype):
    array = validation.as_float_array("x", value)
    assert array.dtype == np.dtype(dtype)
    assert np.array_equal(array, np.asarray(value))


def test_as_float_array_refuses():
    with pytest.raises(InvalidInput, match="x has dtype <U1, expected numbers"):
        validation.as_float_array("x", ["a"])


@given(
    st.lists(st.integers(0, 3), max_size=3).map(tuple), st.lists(st.integers(0, 3) | st.none(), max_size=3).map(tuple)
)
def test_require_shape(shape, pattern):
    fits = len(shape) == len(pattern) and all(p in (None, n) for n, p in zip(shape, pattern, strict=True))
    if fits:
        validation.require_shape("x", np.zeros(shape), pattern)
    else:
        with pytest.raises(InvalidInput, match="x has shape"):
            validation.require_shape("x", np.zeros(shape), pattern)


def test_require_shape_says_what_to_do():
    with pytest.raises(InvalidInput, match=r"^act has shape \(5, 1\), expected \(5,\); try act\[:, 0\]$"):
        validation.require_shape("act", np.zeros((5, 1)), (5,), "try act[:, 0]")
    with pytest.raises(InvalidInput, match=r"^act has shape \(5,\), expected \(any, 2\)$"):
        validation.require_shape("act", np.zeros(5), (None, 2))


@pytest.mark.parametrize("dtype", ["f4", "f8", "c16"])
def test_require_theta(dtype):
    validation.require_theta(np.zeros(3, dtype), 3)


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (np.zeros(2), r"theta has shape \(2,\), expected one flat array of shape \(3,\)"),
        (np.zeros((3, 1)), r"shape \(3, 1\)"),
        ([0.0] * 3, "theta has list"),
        (np.zeros(3, int), "theta has dtype int64"),
        (np.zeros(3, np.dtype("f8").newbyteorder()), "theta has dtype [<>]f8, expected float64"),
    ],
)
def test_require_theta_refuses(theta, message):
    with pytest.raises(InvalidInput, match=message):
        validation.require_theta(theta, 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        ([[0.0, 1.0], [np.nan, np.inf]], r"^x\[1, 0\] is nan \(2 of 4 values are not finite\); look there$"),
        (-np.inf, r"^x is -inf \(1 of 1 values are not finite\); look there$"),
        ([1.0, complex(0, np.nan)], r"^x\[1\] is nanj"),
    ],
)
def test_require_finite(array, message):
    with pytest.raises(NonFinite, match=message):
        validation.require_finite("x", np.asarray(array), "look there")


def test_require_finite_accepts():
    validation.require_finite("x", np.zeros((0, 3)))
    validation.require_finite("x", np.array([1e308, -0.0, 5e-324]))


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (validation.require_positive, [1, 0.1, 1e300], [0, -1, np.nan, np.inf]),
        (validation.require_probability, [0, 0.5, 1], [-1e-9, 1 + 1e-9, np.nan, np.inf]),
    ],
)
def test_ranges(check, good, bad):
    for value in good:
        check("gamma", value)
    for value in bad:
        with pytest.raises(InvalidInput, match=r"gamma is .*, expected a number"):
            check("gamma", value)


def test_require_in():
    validation.require_in("kind", "a", ("a", "b"))
    with pytest.raises(InvalidInput, match=r"^kind is 'c', expected one of 'a', 'b'$"):
        validation.require_in("kind", "c", ("a", "b"))


def test_unknown_names_offer_the_nearest():
    assert "did you mean 'CartPole-v1'" in str(UnknownName("environment", "CartPol-v1", ["CartPole-v1", "Ant-v5"]))
    many = str(UnknownName("environment", "zzz", [f"name{i:02}" for i in range(40)]))
    assert many.endswith("'name11', …")
    assert "name12" not in many


def test_errors_are_also_what_python_users_expect():
    base = {name: getattr(errors, name) for name in errors.__all__}
    assert all(issubclass(error, NpgradError) for error in base.values())
    standard = {
        "InvalidInput": ValueError,
        "NonFinite": FloatingPointError,
        "MissingExtra": ImportError,
        "CorruptFile": ValueError,
        "RunFolderError": OSError,
        "NotImplementedBy": NotImplementedError,
        "EnvironmentFailure": RuntimeError,
    }
    assert all(issubclass(base[name], kind) for name, kind in standard.items())
