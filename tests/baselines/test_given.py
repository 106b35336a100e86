"""Baselines given from elsewhere: values, shapes, errors."""

import numpy as np
import pytest

from npgrad.baselines import ConstantBaseline, StateBaseline, StateTable, TimeBaseline
from npgrad.errors import InvalidInput, NonFinite
from tests.baselines.test_sample import batch_of

BATCH = batch_of([2, 3])


def test_values_land_on_their_rows():
    psi = np.zeros(5)
    np.testing.assert_array_equal(ConstantBaseline(3)(psi, BATCH), [3, 3, 3, 3, 3])
    np.testing.assert_array_equal(TimeBaseline([1.0, 2.0])(psi, BATCH), [1, 2, 1, 2, 0])
    np.testing.assert_array_equal(StateBaseline(lambda b: b.time + 0.5)(psi, BATCH), [0.5, 1.5, 0.5, 1.5, 2.5])
    np.testing.assert_array_equal(StateTable([7.0, 8, 9], lambda b: b.time)(psi, BATCH), [7, 8, 7, 8, 9])


def test_values_are_copied():
    values = np.ones(2)
    baselines = TimeBaseline(values), StateTable(values, lambda b: b.time)
    values[:] = 5
    assert [b.values.sum() for b in baselines] == [2, 2]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: ConstantBaseline(np.nan), InvalidInput, "value is nan"),
        (lambda: TimeBaseline([[1.0]]), InvalidInput, r"values has shape \(1, 1\)"),
        (lambda: TimeBaseline([np.inf]), NonFinite, "values"),
        (
            lambda: StateBaseline(lambda b: np.ones(4))(np.zeros(5), BATCH),
            InvalidInput,
            r"shape \(4,\), expected \(5,\)",
        ),
        (lambda: StateTable([1.0], lambda b: b.time)(np.zeros(5), BATCH), InvalidInput, "from 0 to 2, expected 0 … 0"),
        (lambda: StateTable([1.0], lambda b: b.rew)(np.zeros(5), BATCH), InvalidInput, "float64, expected integers"),
    ],
)
def test_errors_name_what_is_wrong(make, error, message):
    with pytest.raises(error, match=message):
        make()
