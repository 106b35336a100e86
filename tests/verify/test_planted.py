"""Each row falls short when what it judges has a mistake in it: a check must be able to fail."""

import dataclasses

import numpy as np
import pytest

from npgrad import compiled
from npgrad.compiled import ROWS, Rows
from npgrad.critics import total_return
from npgrad.distributions import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Deterministic,
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    Product,
    squash,
)
from npgrad.functions import stacked
from npgrad.functions.linear import Affine
from npgrad.functions.recurrent import RecurrentLinearisation
from npgrad.kernels.rows import softmax_draw, softmax_rows
from npgrad.oracle import surrogate
from npgrad.verify import run
from npgrad.verify import section_1_objectives as one
from npgrad.verify import section_2_log_derivative as two
from npgrad.verify import section_3_information as information

run(["O1"])  # the sections are imported before anything is planted


def scaled(f, factor):
    return lambda *args, **options: factor * f(*args, **options)


def without_the_mean(self, y, act):  # of the score of a softmax
    return np.eye(self.n)[act] + 0 * y


def rows_without_the_mean(y, act, logp, score):  # the same fault in the kernel
    softmax_rows(y, act, logp, score)
    score[:] = 0
    score[np.arange(len(y)), act] = 1


def half_a_score(method):
    def score(self, y, act):
        row = method(self, y, act)
        row[:, : self.k] /= 2  # the mean's part: X1
        return row

    return score


def without_minus_one(self, y, act):  # of ((a − μ)/σ)² − 1
    z = (act - y[:, : self.k]) * np.exp(-y[:, self.k :])
    return np.concatenate([z * np.exp(-y[:, self.k :]), z * z], axis=1)


def prior_weights(self, y, act):  # in place of responsibilities
    logits, _, log_std = self._split(y)
    w, z = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), self._standardised(y, act)
    rows = [0 * w, w[:, :, None] * z * np.exp(-log_std), w[:, :, None] * (z * z - 1)]
    return np.concatenate([row.reshape(len(y), -1) for row in rows], axis=1)


def swapped(method):
    return lambda self, y, other: method(self, y, other)[::-1]


def late_rewards(batch, gamma=1.0):  # the reward after the next action
    shifted = np.append(batch.rew[1:], 0.0)
    shifted[batch.offsets[1:] - 1] = 0
    return total_return(dataclasses.replace(batch, rew=shifted), gamma)


def late_values(f):  # the next time's V
    def values(*args):
        v = f(*args)
        return dataclasses.replace(v, V=np.roll(v.V, -1, axis=0))

    return values


def heavier(f):
    def trajectories(*args, **options):
        t = f(*args, **options)
        return dataclasses.replace(t, prob=1.01 * t.prob)

    return trajectories


def short_memory(method):
    return lambda self, w, h, steps: self._readout.vjp_x(w) * (1 - h * h)


FAULTS = {
    "O1": (one, "trajectories", heavier(one.trajectories)),
    "O2": (one, "total_return", late_rewards),
    "O3": (one, "stationary_distribution", lambda mdp, *_: np.full(mdp.n_states, 1 / mdp.n_states)),
    "O4": (one, "total_return", lambda batch, gamma: total_return(batch)),
    "O5": (one, "return_variance", scaled(one.return_variance, 1.5)),
    "O6": (one, "reward_to_go", late_rewards),
    "O7": (one, "greedy", lambda Q: np.eye(Q.shape[-1])[Q.argmin(axis=-1)]),
    "O8": (DiagonalGaussian, "score", without_minus_one),
    "O9": (one, "gradient_by_step", scaled(one.gradient_by_step, 1.001)),
    "O10": (one, "performance_difference", surrogate),
    "L1": (Categorical, "score", without_the_mean),
    "L2": (DiagonalGaussian, "score", without_minus_one),
    "L3": (two, "episode_scores", scaled(two.episode_scores, 1.001)),
    "L4": (DiagonalGaussian, "score", without_minus_one),
    "L5": (two, "gae", lambda batch, V, gamma, gae_lambda: one.reward_to_go(batch) - V.rows),
    "L6": (two, "integral", scaled(two.integral, 0.5)),
    "L7": (DiagonalGaussian, "log_prob", scaled(DiagonalGaussian.log_prob, 0.99)),
    "S1": (Categorical, "score", without_the_mean),
    "S2": (DiagonalGaussian, "score", half_a_score(DiagonalGaussian.score)),
    "S3": (FullGaussian, "score", half_a_score(FullGaussian.score)),
    "S4": (DiagonalGaussian, "score", without_minus_one),
    "S5": (Bernoulli, "score", scaled(Bernoulli.score, -1)),
    "S6": (Deterministic, "action_vjp", scaled(Deterministic.action_vjp, 2)),
    "S7": (Affine, "vjp_x", scaled(Affine.vjp_x, 0.5)),
    "S8": (Categorical, "entropy_grad", scaled(Categorical.entropy_grad, -1)),
    "S9": (DiagonalGaussian, "kl_grad", swapped(DiagonalGaussian.kl_grad)),
    "S10": (Categorical, "fisher", lambda self, y, v: np.exp(y) / np.exp(y).sum(axis=1, keepdims=True) * v),
    "S11": (GaussianMixture, "score", prior_weights),
    "S12": (Autoregressive, "score", scaled(Autoregressive.score, 0.5)),
    "S13": (RecurrentLinearisation, "_backward", short_memory(None)),
}

MORE = [
    ("S5", Product, "score", scaled(Product.score, 1.001)),
    ("S5", squash, "LOG_2", 0.7),
    ("S8", squash, "LOG_2", 0.7),
    ("S8", information, "squashed_entropy", lambda y, low, high: squash.squashed_entropy(y, low, 2 * high)),
    ("S8", GaussianMixture, "entropy", scaled(GaussianMixture.entropy, 1.001)),
    ("S9", Categorical, "kl", scaled(Categorical.kl, 0.5)),
    ("S10", information, "fisher", scaled(information.fisher, 0.5)),
    ("S13", stacked, "times", lambda offsets: np.arange(offsets[-1])),  # windows reach into the episode before
    ("O3", one, "average_reward", scaled(one.average_reward, 1.001)),
    ("O6", one, "values", late_values(one.values)),
    ("O8", one, "gradient", scaled(one.gradient, 1.001)),
    ("L5", compiled, "ROWS", ROWS | {Categorical: Rows(rows_without_the_mean, softmax_draw)}),
    ("O9", compiled, "ROWS", ROWS | {Categorical: Rows(rows_without_the_mean, softmax_draw)}),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("id", FAULTS)
def test_a_planted_fault_is_seen(monkeypatch, id, seed):
    where, name, wrong = FAULTS[id]
    assert run([id], seed)[0].passed
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], seed)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error


@pytest.mark.parametrize(("id", "where", "name", "wrong"), MORE)
def test_other_parts_of_a_row_see_faults(monkeypatch, id, where, name, wrong):
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], 0)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error
