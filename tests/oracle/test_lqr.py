import numpy as np
import pytest

from npgrad.errors import InvalidInput
from npgrad.oracle import LQR, lqr_moments
from npgrad.oracle.quadrature import normal_nodes
from tests.oracle.problems import assert_close, complex_step

SCALAR = dict(A=[[0.9]], B=[[0.5]], Q=[[1.0]], R=[[0.3]], start=[[1.5]])
PLANE = dict(
    A=[[0.9, 0.3], [-0.1, 0.7]],
    B=[[0.2], [0.8]],
    Q=[[1.0, 0.2], [0.2, 0.5]],
    R=[[0.4]],
    start=[[1.0, 0.3], [0.3, 0.6]],
)
TWO_ACTIONS = PLANE | dict(B=[[0.2, 0.5], [0.8, -0.1]], R=[[0.4, 0.1], [0.1, 0.2]])
NOISE = dict(W=[[0.2, 0.05], [0.05, 0.1]])
GAIN = {1: np.array([[0.2, 0.4]]), 2: np.array([[0.2, 0.4], [0.3, -0.2]])}


def flat_step(f, K):
    """The complex step of f in all entries of K."""
    return complex_step(lambda x: f(x.reshape(K.shape)), K.ravel()).reshape(K.shape)


def brute_force(lqr, K, sigma):
    """Rewards, scores and weights on all nodes of all noises together; exact where five nodes a noise are."""
    n, k, T = lqr.n_states, lqr.n_actions, lqr.horizon
    z, w = normal_nodes(5, n + T * k + (T - 1) * n)
    z = np.split(z, np.cumsum([n] + [k] * T + [n] * (T - 2)), axis=1)
    (x, *e), noise = [z[0] @ np.linalg.cholesky(lqr.start).T, *z[1 : T + 1]], z[T + 1 :]
    rew, f = [], []
    for t in range(T):
        a = -x @ K.T + sigma * e[t]
        rew.append(-np.einsum("jm,mn,jn->j", x, lqr.Q, x) - np.einsum("jm,mn,jn->j", a, lqr.R, a))
        f.append(-(e[t][:, :, None] * x[:, None, :]).reshape(len(x), -1) / sigma)
        if t + 1 < T:
            x = x @ lqr.A.T + a @ lqr.B.T + noise[t] @ np.linalg.cholesky(lqr.W).T
    return np.array(rew), np.array(f), w


@pytest.mark.parametrize("gamma", [1.0, 0.8])
@pytest.mark.parametrize("n", [1, 2])
def test_objective_and_variance_are_those_of_brute_force(n, gamma):
    """Two steps; states of one and two dimensions; noise everywhere."""
    arguments = SCALAR | dict(W=[[0.2]]) if n == 1 else PLANE | NOISE
    lqr = LQR(**arguments, horizon=2, gamma=gamma)
    K, sigma = GAIN[1][:, :n], 0.7
    rew, f, w = brute_force(lqr, K, sigma)
    returns = np.array([rew[0] + gamma * rew[1], rew[1]])
    assert_close(lqr.objective(K, sigma=sigma), w @ returns[0])
    m = lqr_moments(lqr, K, sigma=sigma, covariance=True)
    X = sum(gamma**t * f[t] * returns[t][:, None] for t in (0, 1))
    mean = w @ X
    assert_close(m.mean, mean)
    assert_close(m.mean.reshape(K.shape), lqr.gradient(K, sigma=sigma))
    cov = (X * w[:, None]).T @ X - np.outer(mean, mean)
    assert_close(m.covariance, cov, 1e-11)
    assert_close(m.variances, np.diag(cov), 1e-11)


@pytest.mark.parametrize("problem", [SCALAR | dict(W=[[0.2]]), PLANE | NOISE, TWO_ACTIONS | NOISE])
@pytest.mark.parametrize("varying", [True, False])
def test_gradient_with_a_horizon(problem, varying):
    lqr = LQR(**problem, horizon=4, gamma=0.9)
    K = GAIN[lqr.n_actions][:, : lqr.n_states]
    K = K + 0.1 * np.arange(4)[:, None, None] if varying else K
    assert_close(lqr.gradient(K, sigma=0.5), flat_step(lambda x: lqr.objective(x, sigma=0.5), K))


@pytest.mark.parametrize(("gamma", "sigma", "noise"), [(1.0, 0.0, {}), (0.8, 0.5, NOISE), (0.8, 0.0, {})])
def test_endless_gradient(gamma, sigma, noise):
    lqr = LQR(**TWO_ACTIONS, **noise, gamma=gamma)
    K = GAIN[2]
    assert_close(lqr.gradient(K, sigma=sigma), flat_step(lambda x: lqr.objective(x, sigma=sigma), K))
    long = LQR(**TWO_ACTIONS, **noise, gamma=gamma, horizon=600)
    assert_close(lqr.objective(K, sigma=sigma), long.objective(K, sigma=sigma), 1e-11)
    assert_close(lqr.gradient(K, sigma=sigma), long.gradient(K, sigma=sigma), 1e-11)
    P = lqr.cost_to_go(K)  # J from values: E V(x_0), and what noise adds
    added = np.trace(P @ (lqr.W + sigma**2 * lqr.B @ lqr.B.T)) * gamma + sigma**2 * np.trace(lqr.R)
    assert_close(lqr.objective(K, sigma=sigma), -np.trace(P @ lqr.start) - (added / (1 - gamma) if added else 0))


def test_average_cost():
    lqr = LQR(**TWO_ACTIONS, **NOISE, horizon=1)
    K = GAIN[2]
    assert_close(lqr.average_gradient(K, sigma=0.5), flat_step(lambda x: lqr.average_objective(x, sigma=0.5), K))
    near_one = LQR(**TWO_ACTIONS, **NOISE, gamma=1 - 1e-8)
    assert abs(1e-8 * near_one.objective(K, sigma=0.5) - lqr.average_objective(K, sigma=0.5)) < 1e-6


@pytest.mark.parametrize("horizon", [None, 5])
def test_difference(horizon):
    lqr = LQR(**TWO_ACTIONS, **NOISE, gamma=0.8, horizon=horizon)
    new, old = GAIN[2] + [[0.1, -0.2], [0.05, 0.3]], GAIN[2]
    exact = lqr.objective(new, sigma=0.5) - lqr.objective(old, sigma=0.5)
    assert_close(lqr.difference(new, old, sigma=0.5), exact)
    if horizon:
        changing = new + 0.1 * np.arange(5)[:, None, None]
        exact = lqr.objective(changing, sigma=0.5) - lqr.objective(old, sigma=0.5)
        assert_close(lqr.difference(changing, old, sigma=0.5), exact)


@pytest.mark.parametrize("horizon", [None, 5])
def test_optimal_gain(horizon):
    lqr = LQR(**TWO_ACTIONS | dict(A=[[1.4, 0.3], [-0.1, 1.2]]), gamma=0.95, horizon=horizon)  # unstable by itself
    K = lqr.optimal_gain()
    assert K.shape == ((5, 2, 2) if horizon else (2, 2))
    assert np.abs(lqr.gradient(K)).max() < 1e-11
    for seed in range(5):
        assert lqr.objective(K + 0.01 * np.random.default_rng(seed).normal(size=K.shape)) < lqr.objective(K)


@pytest.mark.parametrize("seed", range(10))
def test_gradient_domination(seed):
    rng = np.random.default_rng(seed)
    lqr = LQR(**TWO_ACTIONS, gamma=0.9)
    K = lqr.optimal_gain() + 0.1 * rng.normal(size=(2, 2))
    gap, bound = lqr.domination(K)
    assert 0 < gap <= bound
    assert gap > bound / 1e3


@pytest.mark.parametrize("problem", [SCALAR | dict(W=[[0.2]]), PLANE | NOISE])
def test_variance_without_a_horizon(problem):
    lqr, long = (LQR(**problem, gamma=0.5, horizon=T) for T in (None, 45))
    K = GAIN[lqr.n_actions][:, : lqr.n_states]
    for baseline in (False, True):
        m, limit = (lqr_moments(x, K, sigma=0.5, value_baseline=baseline, covariance=True) for x in (lqr, long))
        assert_close(m.mean.reshape(K.shape), lqr.gradient(K, sigma=0.5), 1e-11)
        assert_close(m.covariance, limit.covariance, 1e-10)


def test_value_baseline():
    """One step, one dimension, by hand: r − V = −R(−2σKxe + σ²(e² − 1))."""
    lqr = LQR(**SCALAR, horizon=1)
    K, sigma, R, S = 0.4, 0.7, 0.3, 1.5
    m = lqr_moments(lqr, np.array([[K]]), sigma=sigma, value_baseline=True)
    assert_close(m.mean, lqr.gradient([[K]], sigma=sigma)[0])
    # f (r − V) = (e x/σ) R (−2σKxe + σ²(e² − 1)), E e⁴ = 3, E e²(e² − 1)² = 10, E x⁴ = 3S²
    second = R**2 * (4 * K**2 * 3 * 3 * S**2 + sigma**2 * 10 * S)
    assert_close(m.variance, second - m.mean[0] ** 2)
    assert m.variance < lqr_moments(lqr, np.array([[K]]), sigma=sigma).variance


def test_sampled_variance_of_a_longer_run():
    """tr Cov of 20,000 episodes of four steps against the exact one, within 99.9 %."""
    lqr = LQR(**PLANE, **NOISE, horizon=4, gamma=0.9)
    K, sigma, rng, N = GAIN[1], 0.5, np.random.default_rng(0), 20_000
    x = rng.multivariate_normal(np.zeros(2), lqr.start, size=N)
    rew, f = np.zeros((4, N)), np.zeros((4, N, 2))
    for t in range(4):
        e = rng.normal(size=(N, 1))
        a = -x @ K.T + sigma * e
        rew[t] = -np.einsum("im,mn,in->i", x, lqr.Q, x) - np.einsum("im,mn,in->i", a, lqr.R, a)
        f[t] = -e * x / sigma
        x = x @ lqr.A.T + a @ lqr.B.T + rng.multivariate_normal(np.zeros(2), lqr.W, size=N)
    G = np.zeros((5, N))
    for t in reversed(range(4)):
        G[t] = rew[t] + 0.9 * G[t + 1]
    X = np.einsum("t,tip,ti->ip", 0.9 ** np.arange(4), f, G[:4])
    m = lqr_moments(lqr, K, sigma=sigma)
    squares = ((X - m.mean) ** 2).sum(axis=1)
    assert abs(squares.mean() - m.variance) < 3.2905 * squares.std(ddof=1) / np.sqrt(N)
    assert (np.abs(X.mean(axis=0) - m.mean) < 3.2905 * np.sqrt(m.variances / N)).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(A=np.ones((2, 3))), r"A has shape \(2, 3\) and B \(2, 1\)"),
        (dict(Q=[[1.0]]), r"Q has shape \(1, 1\), expected \(2, 2\)"),
        (dict(Q=[[1.0, 0.5], [0.0, 1.0]]), "Q is not symmetric"),
        (dict(R=[[0.0]]), "R has the eigenvalue 0, expected positive definite"),
        (dict(W=[[1.0, 0.0], [0.0, -1.0]]), "W has the eigenvalue -1, expected a covariance"),
        (dict(gamma=2.0), "gamma is 2.0"),
        (dict(horizon=0), "horizon is 0"),
    ],
)
def test_bad_problems(changes, message):
    with pytest.raises(InvalidInput, match=message):
        LQR(**PLANE | changes)


def test_bad_gains():
    lqr = LQR(**PLANE | dict(A=np.eye(2) * 1.2))
    with pytest.raises(InvalidInput, match=r"spectral radius 1.2, expected below 1"):
        lqr.objective(np.zeros((1, 2)))
    with pytest.raises(InvalidInput, match=r"K has shape \(2,\), expected \(1, 2\)"):
        lqr.gradient(np.zeros(2))
    with pytest.raises(InvalidInput, match="the endless cost is infinite"):
        LQR(**PLANE).objective(GAIN[1], sigma=0.5)
    with pytest.raises(InvalidInput, match="full rank"):
        LQR(**PLANE | dict(start=np.zeros((2, 2)))).domination(GAIN[1])
    with pytest.raises(InvalidInput, match="sigma is 0"):
        lqr_moments(LQR(**PLANE, horizon=2), GAIN[1], sigma=0)
    with pytest.raises(InvalidInput, match="one gain for all times"):
        lqr_moments(LQR(**PLANE, horizon=2), np.zeros((2, 1, 2)), sigma=1.0)
    with pytest.raises(InvalidInput, match="gamma below 1"):
        lqr_moments(LQR(**PLANE), GAIN[1], sigma=1.0)
