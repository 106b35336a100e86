"""Errors planted in policies: each is caught, and named."""

from dataclasses import replace

import numpy as np
import pytest

from npgrad.checks import check_policy
from npgrad.distributions import Categorical, Deterministic
from npgrad.functions import Linear
from npgrad.policies import ComposedPolicy, make_policy
from npgrad.policies.action_maps import Identity, Tanh
from npgrad.spaces import Box, Discrete

OBS = Box(-1.0, 1.0, (3,))


class Wrong:
    """A shipped policy with other methods, or other ones of its linearisation."""

    def __init__(self, policy, lin=None, **wrong):
        self.policy, self.wrong_lin, self.wrong = policy, lin or {}, wrong

    def __getattr__(self, name):
        if name in self.wrong:
            return lambda *args, **kwargs: self.wrong[name](self.policy, *args, **kwargs)
        return getattr(self.policy, name)

    def at(self, theta, obs, act, offsets=None):
        at = self.wrong.get("at", lambda policy, *args: policy.at(*args))
        return WrongLinearisation(at(self.policy, theta, obs, act, offsets), self.wrong_lin)


class WrongLinearisation:
    def __init__(self, lin, wrong):
        self.lin, self.wrong = lin, wrong

    def __getattr__(self, name):
        def right(*args):
            return getattr(self.lin, name)(*(getattr(a, "lin", a) if name.startswith("kl") else a for a in args))

        if name == "log_prob" or not hasattr(self.lin, name):
            return getattr(self.lin, name)
        wrong = self.wrong.get(name)
        return right if wrong is None else lambda *args: wrong(right, *args)


softmax = make_policy((OBS, Discrete(3)), "mlp", hidden=(4,))
gaussian = make_policy((OBS, Box(-1.0, 1.0, (1,))), "linear")
masked = make_policy((OBS, Discrete(3)), "linear", masked=True)
steering = ComposedPolicy(Linear(3, 1), Deterministic(1), OBS, Box(-1.0, 1.0, (1,)))
recurrent = make_policy((OBS, Discrete(3)), "recurrent", hidden=(3,))


def allowed(obs):
    return np.concatenate([obs[:, :3], np.ones((len(obs), 3))], axis=1)


def moved(offsets, shift, n):
    return np.array([0, *(np.asarray(offsets)[1:-1] + shift), n])


def one_more(policy, theta, obs, noise=None, memory=None):
    act, logp, memory = policy.act(theta, obs, noise, memory)
    return (act + 1) % 3, logp, memory


def rolled(policy, theta, obs, act, offsets=None):
    return policy.at(theta, obs, np.roll(act, -1, axis=0), offsets)


def restless(policy, theta, obs, noise=None, memory=None):
    return policy.act(theta, obs, np.full((len(obs), 1), 0.01) if noise is None else noise, memory)


def swapped(policy):
    """The same policy with the arguments of its KL the other way round."""

    class Swapped(Categorical):
        def kl(self, y, y_other):
            return super().kl(y_other, y)

    return replace(policy, distribution=Swapped(3))


class Squash(Tanh):
    def log_derivative(self, act):
        return -super().log_derivative(act)


class Beyond(Identity):
    def __call__(self, act):
        return act + 1


PLANTED = {
    "sign": (Wrong(softmax, {"vjp": lambda right, psi: -right(psi)}), "vjp(w) =", "the sign is flipped"),
    "averaged": (Wrong(softmax, {"vjp": lambda right, psi: right(psi) / len(psi)}),
                 "vjp(w) =", "averaged over the T rows instead of summed"),
    "jvp": (Wrong(gaussian, {"jvp": lambda right, v: 2 * right(v)}), "jvp(v) =", "twice what it should be"),
    "rows": (Wrong(softmax, {"vjp_rows": lambda right, psi: np.roll(right(psi), 1, axis=0)}),
             "vjp_rows(w)", "row t holds the gradient of the row before it"),
    "segments": (Wrong(softmax, {"vjp_segments": lambda right, psi, o: right(psi, moved(o, 1, len(psi)))}),
                 "vjp_segments", "off by one: borders lie a row too late"),
    "at of other rows": (Wrong(softmax, at=rolled), "its logp = the log_prob", "wrong row: at takes the action"),
    "act of another action": (Wrong(softmax, act=one_more), "its logp = the log_prob", "index is shifted by +1"),
    "mask in act": (Wrong(masked, act=lambda p, theta, obs, *rest: p.act(theta, allowed(obs), *rest)),
                    "act takes no masked action", "the mask is ignored in act"),
    "mask in at": (Wrong(masked, at=lambda p, theta, obs, *rest: p.at(theta, allowed(obs), *rest)),
                   "at gives every masked action", "the mask is ignored in at"),
    "memory late": (Wrong(recurrent, at=lambda p, theta, obs, act, o=None: p.at(theta, obs, act, late(o, len(obs)))),
                    "its logp = the log_prob", "off by one: at clears its memory a row too late"),
    "memory kept": (Wrong(recurrent, at=lambda p, theta, obs, act, o=None: p.at(theta, obs, act)),
                    "its logp = the log_prob", "the offsets are ignored: at keeps its memory"),
    "score": (Wrong(softmax, score=lambda p, *args: p.score(*args).mean(axis=0)),
              "score(…)", "shape (31,), expected (7, 31)"),
    "entropy": (Wrong(softmax, {"entropy": lambda right: -right()}), "entropy() =", "the sign is flipped"),
    "entropy's gradient": (Wrong(softmax, {"entropy_vjp": lambda right, w: right(w / len(w))}),
                           "entropy_vjp(w)", "averaged over the T rows"),
    "entropy's weights": (Wrong(softmax, {"entropy_vjp": lambda right, w: right(np.ones_like(w))}),
                          "entropy_vjp(w)", "the weights w are ignored"),
    "KL": (Wrong(swapped(softmax)), "kl_to(other)", "the arguments are swapped"),
    "KL's gradient": (Wrong(softmax, {"kl_vjp": lambda right, other, w: -right(other, w)}),
                      "kl_vjp(other, w)", "the sign is flipped"),
    "Fisher": (Wrong(softmax, {"fisher_vp": lambda right, v, w: 0.5 * right(v, w)}),
               "fisher_vp(v, w) = Σ", "half of what it should be"),
    "Fisher's weights": (Wrong(softmax, {"fisher_vp": lambda right, v, w: right(v, np.ones_like(w))}),
                         "fisher_vp(v, w) = Σ", "the weights w are ignored"),
    "∂a/∂θ": (Wrong(steering, {"action_vjp": lambda right, w: right(w) / len(w)}), "action_vjp", "factor 0.142857"),
    "latent entropy": (Wrong(replace(gaussian, action_map=Tanh((-1.0,), (1.0,))),
                             entropy=lambda p, theta, obs, o=None: p.at(theta, obs, np.zeros((len(obs), 1))).entropy()),
                       "entropy(…) of the environment's", "that of the latent action"),
    "mode": (Wrong(softmax, act=restless), "act without noise", "likelier actions"),
    "Jacobian of the map": (replace(gaussian, action_map=Squash((-1.0,), (1.0,))),
                            "log_derivative(u)", "the sign is flipped"),
    "log_prob adds the Jacobian": (Wrong(replace(gaussian, action_map=Tanh((-1.0,), (1.0,))),
                                         log_prob=lambda p, *args: 2 * p.at(*args).log_prob - p.log_prob(*args)),
                                   "log_prob(…)", "added instead of subtracted"),
    "range of the map": (replace(softmax, action_map=Beyond()), "action_map gives", "which is not in Discrete"),
    "in place": (Wrong(softmax, {"vjp": lambda right, psi: right(psi.__imul__(2))}),
                 "no argument is written to", "vjp writes to psi"),
}  # fmt: skip


def late(offsets, n):
    return None if offsets is None else moved(offsets, 1, n)


@pytest.mark.parametrize("name", PLANTED)
def test_planted_error_is_caught_and_named(name):
    policy, statement, mistake = PLANTED[name]
    report = check_policy(policy)
    failed = [line for line in report.failures if statement in line.statement]
    assert failed, report
    assert mistake in failed[0].finding, report


@pytest.mark.parametrize("policy", [softmax, gaussian, masked, recurrent])
def test_the_same_without_the_error_passes(policy):
    check_policy(Wrong(policy)).raise_if_failed()


def test_the_error_of_a_distribution_shows_in_its_policy():
    class Unnormalised(Categorical):
        def score(self, y, act):
            return super().score(y, act) + 0.1

    report = check_policy(ComposedPolicy(Linear(3, 3), Unnormalised(3), OBS, Discrete(3)))
    assert any(line.statement.startswith("E score = 0") for line in report.failures)


def test_a_policy_without_density_is_checked_in_its_action():
    report = check_policy(steering)
    report.raise_if_failed()
    assert "has no log_prob" in report.skipped[0]
    assert report.lines[-1].statement.startswith("action_vjp(w)")
