"""Q of actions that are numbers: read at any action, with its slope in the action."""

import numpy as np
import pytest

from npgrad.critics import StateActionCritic, visited
from npgrad.errors import InvalidInput, NotImplementedBy
from npgrad.functions import MLP, Featured, Linear, Polynomial
from npgrad.types import Batch


def batch_of(k, seed=0):
    rng = np.random.default_rng(seed)
    return Batch(
        obs=rng.normal(size=(5, 2)), act=rng.normal(size=(5, k)), rew=rng.normal(size=5), logp=np.zeros(5),
        offsets=[0, 3, 5], terminated=[True, False], truncated=[False, True], final_obs=rng.normal(size=(2, 2)),
    )  # fmt: skip


@pytest.mark.parametrize("k", [1, 3])
def test_values_and_slopes(k):
    f, rng, batch = MLP(2 + k, 1, hidden=(4,)), np.random.default_rng(1), batch_of(k)
    Q = StateActionCritic(f, rng.normal(size=f.n_params))
    expected = [f.at(Q.w, np.append(o, a)[None]).y[0, 0] for o, a in zip(batch.obs, batch.act, strict=True)]
    np.testing.assert_allclose(Q(batch), expected, rtol=1e-13)
    obs, _, _ = visited(batch)
    act = rng.normal(size=(len(obs), k))
    np.testing.assert_allclose(Q.of_actions(batch, act), f.at(Q.w, np.hstack([obs, act])).y[:, 0], rtol=1e-13)
    slope, h = Q.action_gradient(batch, batch.act), 1e-6
    for j, e in enumerate(np.eye(k)):
        up, down = (f.at(Q.w, np.hstack([batch.obs, batch.act + s * h * e])).y[:, 0] for s in (1, -1))
        np.testing.assert_allclose(slope[:, j], (up - down) / (2 * h), rtol=1e-7, atol=1e-8)


def test_what_it_refuses():
    with pytest.raises(InvalidInput, match="2 outputs, expected 1"):
        StateActionCritic(Linear(3, 2), np.zeros(8))

    class Opaque(Featured):
        def at(self, theta, obs, offsets=None):
            lin = super().at(theta, obs, offsets)
            return type("Products", (), {"y": lin.y})()

    phi = Polynomial(3, degree=1)
    opaque = Opaque(phi, Linear(4, 1, bias=False))
    with pytest.raises(NotImplementedBy, match="no gradient in its inputs"):
        StateActionCritic(opaque, np.zeros(4)).action_gradient(batch_of(1), np.zeros((5, 1)))
