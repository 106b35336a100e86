"""Section 9: every row on problems of many sizes, and with a mistake in what it judges."""

import dataclasses

import numpy as np
import pytest

from npgrad.data import goals
from npgrad.distributions import Categorical, DiagonalGaussian
from npgrad.imitation import growth, likelihood
from npgrad.verify import CATALOGUE, run
from npgrad.verify import section_9_imitation as nine

run(["I1"])  # the sections are imported before anything is planted


def scaled(f, factor):
    return lambda *args, **options: factor * f(*args, **options)


def without_the_mean(self, y, act):  # of the score of a softmax
    return np.eye(self.n)[act] + 0 * y


def halved(method):  # X1
    def score(self, y, act):
        row = method(self, y, act)
        row[:, : self.k] /= 2
        return row

    return score


def of_rows(f):  # a mean over weights, not over rows
    def mistaken(policy, theta, batch, weights=None):
        loss, gradient = f(policy, theta, batch, weights)
        factor = 1.0 if weights is None else batch.n_steps / np.sum(weights)
        return loss * factor, gradient * factor

    return mistaken


chain_policy = growth.chain_policy


def always_recovers(epsilon, recovers):
    return chain_policy(epsilon, recovers=True)


mistake_chain = growth.mistake_chain


def forgiving(horizon):  # a mistake costs, and leads nowhere
    mdp = mistake_chain(horizon)
    P = mdp.P.copy()
    P[0, 1] = [1.0, 0.0]
    return mdp.replace(P=P)


def next_states(batch, columns, **options):  # a goal one step ahead
    ends = np.zeros(batch.n_steps, bool)
    ends[batch.offsets[1:] - 1] = True
    obs = batch.obs.copy()
    obs[:, 1] = np.where(ends, batch.final_obs[batch.segment][:, 0], np.roll(batch.obs[:, 0], -1))
    return dataclasses.replace(batch, obs=obs)


FAULTS = [
    ("I1", nine, "cloning_loss", of_rows(likelihood.cloning_loss)),
    ("I1", Categorical, "score", without_the_mean),
    ("I1", DiagonalGaussian, "score", halved(DiagonalGaussian.score)),
    ("I1", DiagonalGaussian, "log_prob", scaled(DiagonalGaussian.log_prob, 0.99)),
    ("I2", nine, "chain_policy", lambda epsilon, recovers: chain_policy(epsilon / 2, recovers=recovers)),
    ("I2", growth, "chain_policy", always_recovers),
    ("I2", growth, "mistake_chain", forgiving),
    ("I2", growth, "objective", scaled(growth.objective, 1.001)),
    ("I3", nine, "relabel", next_states),
    ("I3", nine, "relabel", lambda batch, columns, **o: batch),
    ("I3", nine, "relabel", lambda batch, columns, **o: goals.relabel(batch, columns, which="future")),
    ("I3", Categorical, "score", without_the_mean),
    ("I4", nine, "objective", scaled(nine.objective, 1.5)),
    ("I4", nine, "visits", lambda mdp, pi: nine.marginals(mdp, pi)[1:] * 0.1),
    ("I5", nine, "cloning_loss", of_rows(likelihood.cloning_loss)),
    ("I5", Categorical, "score", without_the_mean),
    ("I5", nine, "greedy", lambda Q: np.eye(Q.shape[-1])[Q.argmin(axis=-1)]),
]


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("id", "where", "name", "wrong"), FAULTS)
def test_a_planted_fault_is_seen(monkeypatch, id, where, name, wrong, seed):
    assert run([id], seed)[0].passed
    monkeypatch.setattr(where, name, wrong)
    (result,) = run([id], seed)
    assert not result.passed, f"{id} does not see {name}: {result.residual}"
    assert not result.error


def test_the_section_is_whole():
    assert [row.id for row in CATALOGUE.section(9)] == ["I1", "I2", "I3", "I4", "I5"]
