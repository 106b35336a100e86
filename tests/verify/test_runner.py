import numpy as np
import pytest

from npgrad.errors import InvalidInput, UnknownName
from npgrad.verify import KINDS, Finding, Problem, complex_gradient, difference, must, run, run_each, slope, worst


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_fail(register, kind):
    """The same check passes as it holds and fails with an error just beyond the tolerance of its kind."""
    sound = register(lambda problem: 0.9 * KINDS[kind], id="SOUND", kind=kind)
    wrong = register(lambda problem: 1.1 * KINDS[kind], id="WRONG", kind=kind)
    assert [r.passed for r in run([sound, wrong])] == [True, False]


@pytest.mark.parametrize("residual", [np.nan, np.inf, 1e-9])
def test_what_is_not_a_small_number_fails(register, residual):
    assert not run([register(lambda problem: residual)])[0].passed


@pytest.mark.parametrize(
    ("residual", "says"),
    [(-0.5, "take abs"), (Finding(-0.5), "take abs"), (False, "must"), (True, "must"), (Finding(np.False_), "must")],
)
def test_signs_and_truth_values_are_no_residuals(register, residual, says):
    (result,) = run([register(lambda problem: residual)])
    assert not result.passed
    assert says in result.error
    if result.error.startswith("InvalidInput: the residual"):
        assert run([register(lambda problem: residual, id="SLACK", kind="bound")])[0].passed


def test_a_check_that_raises_fails_alone(register):
    def broken(problem):
        raise ZeroDivisionError("no such luck")

    first, second = run([register(broken), "O1"])
    assert (first.passed, first.error) == (False, "ZeroDivisionError: no such luck")
    assert first.residual == np.inf
    assert second.passed


@pytest.mark.parametrize(
    ("residual", "printed", "passed"),
    [(1e-12, 0.5, True), (1e-12, 1e-4, False), (1e-12, np.nan, False), (1e-5, 0.5, False), (1e-12, np.inf, True)],
)
def test_errata_need_the_misprint_to_fail(register, residual, printed, passed):
    (result,) = run([register(lambda problem: Finding(residual, printed=printed))])
    assert result.passed == passed
    assert result.as_json()["residual_printed"] == (printed if np.isfinite(printed) else None)


def test_own_tolerance(register):
    assert run([register(lambda problem: 1e-8, kind="diff", tolerance=1e-7)])[0].passed


def test_findings_carry_numbers(register):
    (result,) = run([register(lambda problem: Finding(0.0, numbers={"seed": problem.seed}))], seed=5)
    assert result.numbers == {"seed": 5}
    assert result.residual_printed is None
    assert "residual_printed" not in result.as_json()


def test_seeds_matter(register):
    id = register(lambda problem: float(problem.rng().random()))
    assert run([id], 1)[0].residual == run([id], 1)[0].residual != run([id], 2)[0].residual


@pytest.mark.parametrize("seed", [-1, 1.5, True])
def test_bad_seeds(seed):
    with pytest.raises(InvalidInput, match=r"seed is .*, expected an integer of at least 0"):
        run(["O1"], seed)


def test_unknown_ids_raise_before_anything_runs(register):
    ran = []
    id = register(lambda problem: ran.append(1) or 0.0)
    with pytest.raises(UnknownName, match="unknown statement 'nothing'"):
        list(run_each([id, "nothing"]))
    assert not ran


def test_processes_change_nothing(register):
    mine = register(lambda problem: 0.0)  # other processes do not know it
    ids = ["O1", "O5", mine, "L4", "S12"]
    alone, shared = run(ids, 7), run(ids, 7, processes=2)
    assert [(r.id, r.residual) for r in shared] == [(r.id, r.residual) for r in alone]
    with pytest.raises(InvalidInput, match="processes is 0"):
        run(ids, processes=0)


def test_difference():
    assert difference([1.0, 2.0], [1.0, 2.0]) == 0
    assert difference(1e6 + 1, 1e6) == 1e-6  # relative to what is large
    assert difference(0.25, 0.0) == 0.25  # absolute to what is small
    assert difference(np.ones(2), np.ones((2, 1))) == np.inf
    assert difference([np.nan], [np.nan]) == np.inf
    assert difference(1.0, np.inf) == np.inf
    assert difference([], []) == 0


def test_other_measures():
    assert np.isnan(worst(0.0, np.nan, 1.0))
    assert (must(True), must(False), must(np.nan > 1)) == (0.0, np.inf, np.inf)
    assert slope([1e-1, 1e-2, 1e-3], [3e-2, 3e-4, 3e-6]) == pytest.approx(2, abs=1e-12)
    gradient = complex_gradient(lambda x: np.stack([np.sin(x[0]), x[0] * x[1]]), np.array([1.0, 2.0]))
    assert np.abs(gradient - [[np.cos(1.0), 0], [2, 1]]).max() < 1e-15


def test_statements_are_called_with_a_seed():
    problem = Problem(0)
    assert problem.seed == 0
