"""Kernels that look at a critic, against their naive twins, and their limiting cases (P7, P8, V6, V7)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npgrad import kernels
from tests import naive

lengths = st.lists(st.integers(1, 7), min_size=1, max_size=5)
seeds = st.integers(0, 10_000)
unit = st.floats(0, 1)


class Case:
    """Rewards, values, bootstraps and ratios of a few segments."""

    def __init__(self, lengths, seed):
        rng = np.random.default_rng(seed)
        self.offsets = np.concatenate([[0], np.cumsum(lengths)])
        self.rew, self.values, self.entropy = rng.normal(size=(3, sum(lengths)))
        self.rho = np.exp(rng.normal(size=sum(lengths)))
        self.bootstrap = rng.normal(size=len(lengths)) * (rng.random(len(lengths)) < 0.7)  # some have terminated

    def run(self, kernel, *args):
        out = np.full(len(self.rew), np.nan)
        kernel(self.rew, self.values, self.bootstrap, self.offsets, *args, out)
        return out

    def on_own(self, kernel, *args):
        out = np.full(len(self.rew), np.nan)
        kernel(*args[:-1], self.offsets, *args[-1], out)
        return out

    def twin(self, function, *args):
        """The naive function on each segment: (rewards, values, bootstrap, *args)."""
        return np.concatenate(
            [
                function(self.rew[a:b], self.values[a:b], self.bootstrap[i], *args)
                for i, (a, b) in enumerate(zip(self.offsets[:-1], self.offsets[1:], strict=True))
            ]
        )

    def vtrace(self, gamma, lam, rho_bar, c_bar):
        delta = self.run(kernels.td_residual, gamma)
        return self.values + self.on_own(kernels.vtrace_correction, delta, self.rho, (gamma, lam, rho_bar, c_bar))


def same(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@given(lengths, seeds, unit, unit)
def test_gae_is_the_sum_of_later_residuals(lengths, seed, gamma, lam):
    case = Case(lengths, seed)
    same(case.run(kernels.gae, gamma, lam), case.twin(naive.gae, gamma, lam))


@given(lengths, seeds, unit, unit)
def test_gae_is_the_reward_to_go_of_residuals(lengths, seed, gamma, lam):
    case = Case(lengths, seed)
    delta = case.run(kernels.td_residual, gamma)
    same(case.run(kernels.gae, gamma, lam), case.on_own(kernels.reward_to_go, delta, (gamma * lam,)))


@given(lengths, seeds, unit)
def test_gae_at_lambda_0_is_the_td_residual(lengths, seed, gamma):
    case = Case(lengths, seed)
    np.testing.assert_array_equal(case.run(kernels.gae, gamma, 0.0), case.run(kernels.td_residual, gamma))


@given(lengths, seeds, unit)
def test_gae_at_lambda_1_telescopes(lengths, seed, gamma):
    case = Case(lengths, seed)
    to_go = case.on_own(kernels.reward_to_go, case.rew, (gamma,))
    left = np.concatenate([np.arange(n, 0, -1) for n in lengths])  # T − t
    expected = to_go + gamma**left * np.repeat(case.bootstrap, lengths) - case.values
    same(case.run(kernels.gae, gamma, 1.0), expected)


@given(lengths, seeds, unit, unit)
def test_gae_is_the_lambda_return_less_the_value(lengths, seed, gamma, lam):
    case = Case(lengths, seed)
    same(case.run(kernels.gae, gamma, lam), case.run(kernels.lambda_return, gamma, lam) - case.values)


@given(lengths, seeds, unit, unit)
def test_lambda_return_is_the_mean_of_n_step_returns(lengths, seed, gamma, lam):
    case = Case(lengths, seed)
    same(case.run(kernels.lambda_return, gamma, lam), case.twin(naive.lambda_return, gamma, lam))


@given(lengths, seeds, unit, st.integers(1, 9))
def test_n_step_return_is_the_sum_written_out(lengths, seed, gamma, n):
    case = Case(lengths, seed)
    same(case.run(kernels.n_step_return, gamma, n), case.twin(naive.n_step_return, gamma, n))


@given(lengths, seeds, unit)
def test_one_step_is_td_and_endless_steps_are_monte_carlo(lengths, seed, gamma):
    case = Case(lengths, seed)
    same(case.run(kernels.n_step_return, gamma, 1) - case.values, case.run(kernels.td_residual, gamma))
    case.bootstrap[:] = 0
    endless = case.run(kernels.n_step_return, gamma, 2**62)
    np.testing.assert_array_equal(endless, case.on_own(kernels.reward_to_go, case.rew, (gamma,)))


@given(lengths, seeds, unit, unit, st.floats(0.1, 3), st.floats(0.1, 3))
def test_vtrace_is_the_sum_written_out(lengths, seed, gamma, lam, rho_bar, c_bar):
    case = Case(lengths, seed)
    expected = np.concatenate(
        [
            naive.vtrace(case.rew[a:b], case.values[a:b], case.bootstrap[i], case.rho[a:b], gamma, lam, rho_bar, c_bar)
            for i, (a, b) in enumerate(zip(case.offsets[:-1], case.offsets[1:], strict=True))
        ]
    )
    same(case.vtrace(gamma, lam, rho_bar, c_bar), expected)


@given(lengths, seeds, unit, unit)
def test_vtrace_on_policy_is_the_lambda_return(lengths, seed, gamma, lam):
    case = Case(lengths, seed)
    case.rho[:] = 1
    same(case.vtrace(gamma, lam, 1.0, 1.0), case.run(kernels.lambda_return, gamma, lam))


@given(lengths, seeds, unit, st.floats(-2, 2))
def test_entropy_return_counts_later_entropies(lengths, seed, gamma, beta):
    case = Case(lengths, seed)
    got = np.full(len(case.rew), np.nan)
    kernels.entropy_return(case.rew, case.entropy, case.offsets, gamma, beta, got)
    expected = [
        naive.entropy_return(case.rew[a:b], case.entropy[a:b], gamma, beta)
        for a, b in zip(case.offsets[:-1], case.offsets[1:], strict=True)
    ]
    same(got, np.concatenate(expected))


@given(lengths, seeds)
def test_running_sum_starts_anew_in_each_segment(lengths, seed):
    case = Case(lengths, seed)
    out = np.full(len(case.rew), np.nan)
    kernels.running_sum(case.rew, case.offsets, out)
    same(out, np.concatenate([np.cumsum(x) for x in np.split(case.rew, case.offsets[1:-1])]))


@pytest.mark.parametrize("name", ["gae", "lambda_return", "td_residual", "n_step_return"])
def test_compiled_and_plain_agree_to_the_bit(name):
    case, kernel = Case([5, 1, 9], 3), getattr(kernels, name)
    args = {"td_residual": (0.9,), "n_step_return": (0.9, 3)}.get(name, (0.9, 0.7))
    np.testing.assert_array_equal(case.run(kernel, *args), case.run(kernel.py_func, *args))
