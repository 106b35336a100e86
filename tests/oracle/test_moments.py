"""Dynamic programming on moments against the list of all trajectories."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npgrad.errors import InvalidInput
from npgrad.oracle import (
    TabularMDP,
    causal_moments,
    exact_moments,
    from_gymnasium,
    gradient,
    objective,
    pair_estimates,
    random_mdp,
    ratio_second_moments,
    return_variance,
    state_baselines,
    trajectories,
    u_statistic,
    values,
    variance_parts,
    whole_return_moments,
)
from tests.oracle.problems import MIXED, assert_close, linear_policy, random_table, small_mdps

TERMINAL = random_mdp(4, 2, 4, seed=3, n_terminal=1, n_next=2, gamma=0.8)


def terms(mdp, policy, theta, t, *, kappa, omega, rewards=None, baseline=0.0):
    """ω^t f_t (G_t − b_t(s_t)) of every row, by a loop over rows from the back."""
    batch = t.batch
    rho = batch.rew if rewards is None else rewards
    f, b = policy.score(theta, batch.obs, batch.act), np.broadcast_to(baseline, (mdp.horizon, mdp.n_states))
    out, G = np.zeros_like(f), 0.0
    for row in reversed(range(batch.n_steps)):
        last = row + 1 in batch.offsets
        G = rho[row] + (0.0 if last else kappa * G)
        time = batch.time[row]
        out[row] = omega**time * f[row] * (G - b[time, t.states[row]])
    return out


def assert_moments(m, t, x, tol=1e-12):
    assert_close(m.mean, t.expect(x), tol)
    assert_close(m.variances, np.diag(t.covariance(x)), tol)
    if m.covariance is not None:
        assert_close(m.covariance, t.covariance(x), tol)
        assert_close(m.variance, np.trace(m.covariance), tol)


@given(small_mdps(), st.sampled_from([1.0, 0.7, 0.0]), st.sampled_from([1.0, 0.7]), st.booleans())
@settings(max_examples=40, deadline=None)
def test_causal_moments_are_those_of_the_list(mdp, kappa, omega, in_time):
    mdp = mdp.with_time() if in_time else mdp
    policy, theta = linear_policy(mdp)
    b = np.random.default_rng(0).normal(size=(mdp.horizon, mdp.n_states))
    t = trajectories(mdp, policy, theta)
    x = t.sum(terms(mdp, policy, theta, t, kappa=kappa, omega=omega, baseline=b))
    m = causal_moments(mdp, policy, theta, baseline=b, discount=kappa, state_discount=omega, covariance=True)
    assert_moments(m, t, x)


@pytest.mark.parametrize("in_time", [True, False])
@pytest.mark.parametrize("kappa", [0.0, 0.8 * 0.9])
def test_critics(kappa, in_time):
    """TD and GAE: ρ is the residual of any V, 0 at the end."""
    mdp = TERMINAL
    policy, theta = linear_policy(mdp)
    t = trajectories(mdp, policy, theta)
    V = np.random.default_rng(1).normal(size=(mdp.horizon + 1, mdp.n_states) if in_time else mdp.n_states)
    ended = np.isin(np.arange(t.batch.n_steps), t.batch.offsets[1:] - 1)
    at, nxt = (t.batch.time, t.states), (t.batch.time + 1, t.next_states)
    now, after = (V[at], V[nxt]) if in_time else (V[t.states], V[t.next_states])
    delta = t.batch.rew + mdp.gamma * np.where(ended, 0, after) - now
    x = t.sum(terms(mdp, policy, theta, t, kappa=kappa, omega=0.8, rewards=delta))
    assert_moments(causal_moments(mdp, policy, theta, critic=V, discount=kappa, covariance=True), t, x)


def test_exact_values_in_place_of_returns():
    mdp = TERMINAL
    policy, theta = linear_policy(mdp)
    v, t = values(mdp, policy, theta), trajectories(mdp, policy, theta)
    for Psi in (v.Q, v.A):
        rho = Psi[t.batch.time, t.states, t.batch.act]
        x = t.sum(terms(mdp, policy, theta, t, kappa=0.0, omega=0.8, rewards=rho))
        m = causal_moments(mdp, policy, theta, rewards=Psi[..., None], discount=0.0)
        assert_moments(m, t, x)
        assert_close(m.mean, gradient(mdp, policy, theta))


@pytest.mark.parametrize("name", ["discounted", "episodic"])
def test_no_horizon_is_the_limit_of_long_ones(name):
    mdp = random_mdp(**MIXED[name], seed=1)
    policy, theta = linear_policy(mdp)
    b, long = np.random.default_rng(0).normal(size=mdp.n_states), mdp.replace(horizon=400)
    for settings_ in ({}, {"baseline": b}, {"critic": b, "discount": 0.5}):
        m, limit = (causal_moments(x, policy, theta, covariance=True, **settings_) for x in (mdp, long))
        if "critic" not in settings_:
            assert_close(m.mean, gradient(mdp, policy, theta))
        assert_close(m.mean, limit.mean, 1e-10)
        assert_close(m.variances, limit.variances, 1e-10)
        assert_close(m.covariance, limit.covariance, 1e-10)
    assert_close(return_variance(mdp, policy, theta), return_variance(long, policy, theta), 1e-10)


@given(small_mdps())
@settings(max_examples=30, deadline=None)
def test_whole_return_moments_are_those_of_the_list(mdp):
    policy, theta = linear_policy(mdp)
    t, m = trajectories(mdp, policy, theta), whole_return_moments(mdp, policy, theta)
    R = t.sum(t.batch.rew * mdp.gamma**t.batch.time)
    F = t.sum(policy.score(theta, t.batch.obs, t.batch.act))
    assert_close([m.R, m.RR], [t.expect(R), t.expect(R**2)])
    for got, x in [(m.FF, F**2), (m.RF, R[:, None] * F), (m.RFF, R[:, None] * F**2), (m.RRFF, (R[:, None] * F) ** 2)]:
        assert_close(got, t.expect(x))
    assert_close(m.mean, gradient(mdp, policy, theta))
    b = np.linspace(-1, 1, len(theta))
    assert_close(m.variances(b), np.diag(t.covariance((R[:, None] - b) * F)))
    assert_close(return_variance(mdp, policy, theta), m.RR - m.R**2)


def test_best_baselines_of_the_whole_return():
    policy, theta = linear_policy(TERMINAL)
    m = whole_return_moments(TERMINAL, policy, theta)
    b, each = m.best_constant(), m.best_per_coordinate()
    for shift in (-0.3, 0.2):  # B5: Var(b) − Var(b*) = E‖g‖² (b − b*)²
        assert_close(m.variance(b + shift) - m.variance(b), m.FF.sum() * shift**2)
        assert_close(m.variances(each + shift) - m.variances(each), m.FF * shift**2)


def test_whole_return_without_a_horizon():
    mdp = random_mdp(**MIXED["episodic"], seed=1)
    policy, theta = linear_policy(mdp)
    m, limit = (whole_return_moments(x, policy, theta) for x in (mdp, mdp.replace(horizon=400)))
    for name, got in vars(m).items():
        assert_close(got, getattr(limit, name), 1e-10)
    with pytest.raises(InvalidInput, match="an episode in state 0 never ends"):
        whole_return_moments(random_mdp(4, 3, None, seed=0, gamma=0.9), policy, theta)


def test_leave_one_out_is_the_u_statistic():
    mdp = random_mdp(2, 2, 2, seed=0, gamma=0.9)
    policy, theta = linear_policy(mdp)

    def leave_one_out(policy, theta, batch):
        R = np.add.reduceat(batch.rew * 0.9**batch.time, batch.offsets[:-1])
        lin = policy.at(theta, batch.obs, batch.act)
        return lin.vjp(np.repeat(R - R[::-1], batch.lengths)) / 2

    m = whole_return_moments(mdp, policy, theta)
    prob, h = pair_estimates(leave_one_out, mdp, policy, theta)
    for n in (2, 3, 10):
        assert_close(m.leave_one_out_variances(n), np.diag(u_statistic(prob, h, n).covariance))
        assert_close(m.batch_mean_variances(n), (1 - 1 / n) ** 2 * m.leave_one_out_variances(n))
    exact = exact_moments(leave_one_out, mdp, policy, theta, n=2)
    assert_close(m.leave_one_out_variances(2), np.diag(exact.covariance))
    with pytest.raises(InvalidInput, match="at least two"):
        m.leave_one_out_variances(1)


def test_average_reward_can_be_worse_than_no_baseline():
    """X14: π = (.9, .1), R = (1, 0)."""
    bandit = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], horizon=1, obs=[[1.0]])
    policy, _ = linear_policy(bandit)
    m = whole_return_moments(bandit, policy, np.array([np.log(9.0), 0.0, 0.0, 0.0]))
    assert_close(m.variance(m.R) / 2, 0.1152)  # θ = (W, b) holds the two logits twice
    assert_close(m.variance() / 2, 0.0018)
    assert_close(m.best_constant(), 0.1)
    assert_close(m.variance(0.1), 0.0)


@given(small_mdps(), st.sampled_from([1.0, 0.7]), st.sampled_from([1.0, 0.7]))
@settings(max_examples=25, deadline=None)
def test_state_baselines_are_those_of_the_list(mdp, kappa, omega):
    policy, theta = linear_policy(mdp)
    t, var = trajectories(mdp, policy, theta), state_baselines(mdp, policy, theta, discount=kappa, state_discount=omega)
    X = t.sum(terms(mdp, policy, theta, t, kappa=kappa, omega=omega))
    f = policy.score(theta, t.batch.obs, t.batch.act)
    p, at = t.prob[t.batch.segment], (t.batch.time, t.states)
    c, w = np.zeros((2, mdp.horizon, mdp.n_states))
    np.add.at(c, at, p * omega**t.batch.time * (f * X[t.batch.segment]).sum(axis=1))
    np.add.at(w, at, p * omega ** (2 * t.batch.time) * (f**2).sum(axis=1))
    assert_close(var.c, c)
    assert_close(var.w, w)
    rng = np.random.default_rng(0)
    for b in (0.0, rng.normal(size=mdp.n_states), rng.normal(size=(mdp.horizon, mdp.n_states)), var.best("time")):
        m = causal_moments(mdp, policy, theta, baseline=b, discount=kappa, state_discount=omega)
        assert_close(var.variance(b), m.variance)


def test_best_baselines_are_ordered():
    policy, theta = linear_policy(TERMINAL)
    var = state_baselines(TERMINAL, policy, theta)
    best = {kind: var.variance(var.best(kind)) for kind in ("time and state", "state", "time", "constant")}
    assert best["time and state"] < min(best["state"], best["time"])
    assert max(best["state"], best["time"]) < best["constant"] < var.variance(0.0)
    for kind, shape in [("time and state", (4, 4)), ("state", (4,)), ("time", (4, 1)), ("constant", ())]:
        for seed in range(3):
            shift = 0.1 * np.random.default_rng(seed).normal(size=shape)
            assert var.variance(var.best(kind) + shift) > best[kind]
    V = values(TERMINAL, policy, theta).V[:-1]
    assert var.variance(V) > best["time and state"]  # B12: V is not the best
    excess = (var.w * (V - var.best()) ** 2).sum()
    assert_close(var.variance(V) - best["time and state"], excess)
    with pytest.raises(InvalidInput, match="kind is 'x'"):
        var.best("x")
    with pytest.raises(InvalidInput, match="need a horizon"):
        state_baselines(random_mdp(4, 2, None, seed=0, gamma=0.9), policy, theta)


def test_variance_parts_are_those_of_the_list():
    mdp = TERMINAL
    policy, theta = linear_policy(mdp)
    t, b = trajectories(mdp, policy, theta), np.random.default_rng(0).normal(size=mdp.n_states)
    x = t.pad(terms(mdp, policy, theta, t, kappa=0.8, omega=0.8, baseline=b))  # (M, T, P)
    parts = variance_parts(mdp, policy, theta, baseline=b)
    each = np.array([np.trace(t.covariance(x[:, k])) for k in range(mdp.horizon)])
    assert_close(parts.states + parts.actions + parts.rest, each)
    assert_close(each.sum() + parts.cross, np.trace(t.covariance(x.sum(axis=1))))
    s, a = t.pad(t.states + 1), t.pad(t.batch.act + 1)  # 0 after the end
    for k in range(mdp.horizon):
        for part, key in [(parts.states[k], s[:, k]), (parts.states[k] + parts.actions[k], 9 * s[:, k] + a[:, k])]:
            means = np.zeros((40, len(theta)))
            mass = np.bincount(key, t.prob, 40)
            np.add.at(means, key, t.prob[:, None] * x[:, k])
            means = means / np.where(mass > 0, mass, 1)[:, None]
            assert_close(part, np.trace(t.covariance(means[key])))


def test_ratio_second_moments():
    pi, beta = random_table((4, 2), 1), random_table((4, 2), 2)
    t = trajectories(TERMINAL, beta)
    rho = t.pad(pi[t.states, t.batch.act] / beta[t.states, t.batch.act])
    rho = np.where(rho > 0, rho, 1)  # after the end
    products = np.cumprod(np.concatenate([np.ones((len(t), 1)), rho], axis=1), axis=1)
    assert_close(ratio_second_moments(TERMINAL, pi, beta), t.expect(products**2))
    with pytest.raises(InvalidInput, match="never takes action 1 in state 0"):
        ratio_second_moments(TERMINAL, pi, np.array([[1.0, 0.0]] * 4))


def test_frozen_lake():
    """Where no list is possible; the first three steps against their list."""
    mdp = from_gymnasium("FrozenLake-v1", horizon=30)
    policy, theta = linear_policy(mdp)
    theta *= 0.3
    m = causal_moments(mdp, policy, theta)
    assert_close(m.mean, gradient(mdp, policy, theta))
    w = whole_return_moments(mdp, policy, theta)
    assert_close(w.mean, m.mean)
    assert_close(w.R, objective(mdp, policy, theta))
    b = state_baselines(mdp, policy, theta).best()
    assert causal_moments(mdp, policy, theta, baseline=b).variance < m.variance
    assert_close(m.variance, w.variance())  # the one reward comes last: the whole return is the reward-to-go
    short = from_gymnasium("FrozenLake-v1", horizon=3)
    policy, theta = linear_policy(short)
    t = trajectories(short, policy, theta)
    x = t.sum(terms(short, policy, theta, t, kappa=1.0, omega=1.0, baseline=0.3))
    assert_moments(causal_moments(short, policy, theta, baseline=0.3, covariance=True), t, x)


def test_bad_input():
    policy, theta = linear_policy(TERMINAL)
    for arguments, message in [
        (dict(baseline=np.ones(3)), r"baseline has shape \(3,\), expected one that broadcasts to \(4, 4\)"),
        (dict(rewards=np.ones((2, 2, 2))), r"rewards has shape \(2, 2, 2\)"),
        (dict(critic=np.ones(5)), r"critic has shape \(5,\), expected \(4,\) or \(T \+ 1, 4\)"),
        (dict(critic=np.ones(4), rewards=TERMINAL.R), "both given"),
        (dict(discount=1.1), "discount is 1.1"),
        (dict(state_discount=-1.0), "state_discount is -1.0"),
    ]:
        with pytest.raises(InvalidInput, match=message):
            causal_moments(TERMINAL, policy, theta, **arguments)
    endless = random_mdp(4, 2, None, seed=0, gamma=0.9)
    with pytest.raises(InvalidInput, match="an episode in state 0 never ends"):
        causal_moments(endless, policy, theta, state_discount=1.0)
