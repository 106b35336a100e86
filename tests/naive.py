"""Slow, obvious twins of what the library computes fast; nothing here is shared with it."""

import itertools
import math

import numpy as np


def linear(theta, obs, n_out, bias=True):
    """y_tk = Σ_j x_tj W_jk + b_k, number by number."""
    T, d = obs.shape
    y = np.zeros((T, n_out))
    for t in range(T):
        for k in range(n_out):
            for j in range(d):
                y[t, k] += obs[t, j] * theta[j * n_out + k]
            if bias:
                y[t, k] += theta[d * n_out + k]
    return y


def mlp(theta, obs, widths, activation):
    """Layers of `linear`, with φ between them; widths = (hidden…, n_out)."""
    phi = {"tanh": np.tanh, "relu": lambda z: np.where(z > 0, z, 0.0), "identity": lambda z: z}[activation]
    x, at = obs, 0
    for depth, n in enumerate(widths):
        size = (x.shape[1] + 1) * n
        z = linear(theta[at : at + size], x, n)
        x, at = (phi(z) if depth < len(widths) - 1 else z), at + size
    return x


def distance_to_kinks(theta, obs, widths):
    """The smallest |z| of any hidden unit of a relu network, for each row."""
    near, x, at = np.full(len(obs), np.inf), obs, 0
    for n in widths[:-1]:
        size = (x.shape[1] + 1) * n
        z = linear(theta[at : at + size], x, n)
        near = np.minimum(near, np.abs(z).min(axis=1))
        x, at = np.where(z > 0, z, 0.0), at + size
    return near


def reward_to_go(rew, gamma):
    """G_t = Σ_{k≥t} γ^{k−t} r_k."""
    return [sum(gamma ** (k - t) * rew[k] for k in range(t, len(rew))) for t in range(len(rew))]


def time_mean_of_others(lists):
    """1/(N−1) Σ_{j≠i} x_{j,t}, zero once j has ended, flat."""
    n = len(lists)
    return [
        sum(lists[j][t] for j in range(n) if j != i and t < len(lists[j])) / (n - 1)
        for i in range(n)
        for t in range(len(lists[i]))
    ]


def adam(gradients, rate, beta1=0.9, beta2=0.999, epsilon=1e-8):
    """θ after ascending `gradients` from 0, each average written out as its weighted sum."""
    theta = np.zeros(gradients.shape[1])
    for k in range(1, len(gradients) + 1):
        w1 = (1 - beta1) * beta1 ** np.arange(k - 1, -1, -1)
        w2 = (1 - beta2) * beta2 ** np.arange(k - 1, -1, -1)
        m_hat = w1 @ gradients[:k] / (1 - beta1**k)
        v_hat = w2 @ gradients[:k] ** 2 / (1 - beta2**k)
        theta = theta + rate * m_hat / (np.sqrt(v_hat) + epsilon)
    return theta


def softmax_log_prob(y, act):
    """log of exp y_a / Σ_j exp y_j, row by row, the largest logit taken out."""
    log_p = []
    for row, a in zip(y, act, strict=True):
        largest = max(row)
        log_p.append(row[a] - largest - math.log(math.fsum(math.exp(x - largest) for x in row)))
    return np.array(log_p)


def gaussian_log_density(act, mean, cov):
    """−½ (a − μ)ᵀ Σ⁻¹ (a − μ) − ½ log det 2πΣ, row by row."""
    log_p = []
    for a, m, c in zip(act, mean, cov, strict=True):
        log_p.append(-0.5 * (a - m) @ np.linalg.solve(c, a - m) - 0.5 * np.linalg.slogdet(2 * np.pi * c)[1])
    return np.array(log_p)


def bernoulli_log_prob(y, act):
    """Σ_j log p_j or log(1 − p_j), p_j = 1/(1 + exp −y_j)."""
    log_p = []
    for row, coins in zip(y, act, strict=True):
        p = [1 / (1 + math.exp(-x)) for x in row]
        log_p.append(sum(math.log(x if a == 1 else 1 - x) for x, a in zip(p, coins, strict=True)))
    return np.array(log_p)


def mixture_log_density(act, weights, means, stds):
    """log Σ_m w_m Π_j N(a_j; μ_mj, σ_mj), row by row."""
    log_p = []
    for a, w, m, s in zip(act, weights, means, stds, strict=True):
        densities = np.exp(-0.5 * ((a - m) / s) ** 2) / (s * np.sqrt(2 * np.pi))  # (M, k)
        log_p.append(math.log(sum(w * np.prod(densities, axis=1))))
    return np.array(log_p)


def autoregressive_log_prob(y, act, bins):
    """Σ_i log softmax(base_i + Σ_{j<i} row_i[j, a_j])[a_i], reading y from left to right."""
    log_p = np.zeros(len(y))
    for t, (row, a) in enumerate(zip(y, act, strict=True)):
        numbers = iter(row)
        for i, n in enumerate(bins):
            logits = [next(numbers) for _ in range(n)]
            for j in range(i):
                for b in range(bins[j]):
                    extra = [next(numbers) for _ in range(n)]
                    if b == a[j]:
                        logits = [x + e for x, e in zip(logits, extra, strict=True)]
            log_p[t] += softmax_log_prob([logits], [a[i]])[0]
    return log_p


def monomials(x, degree, interactions=True):
    """Every Π_j x_j^e_j with Σ e ≤ degree, by going through all exponents."""
    columns = []
    for e in itertools.product(range(degree + 1), repeat=x.shape[1]):
        if sum(e) <= degree and (interactions or np.count_nonzero(e) <= 1):
            columns.append(np.prod(x ** np.array(e), axis=1))
    return np.stack(columns, axis=1)


def radial_basis(x, centres, widths, normalised):
    """exp(−½ Σ_j ((x_j − c_j)/σ_j)²), number by number."""
    phi = np.array([[np.exp(-0.5 * sum((np.array(row) - c) ** 2 / np.square(widths))) for c in centres] for row in x])
    return phi / phi.sum(axis=1, keepdims=True) if normalised else phi


def tile_coding(x, low, high, tiles, tilings):
    """The tile of each grid by comparing x with every tile's borders."""
    d = len(low)
    phi = np.zeros((len(x), tilings, *(n + 1 for n in tiles)))
    for t, row in enumerate(x):
        for i in range(tilings):
            cell = []
            for j in range(d):
                u = (min(max(row[j], low[j]), high[j]) - low[j]) / (high[j] - low[j]) * tiles[j]
                shift = i * (2 * j + 1) / tilings % 1
                holds = [k for k in range(tiles[j] + 1) if k <= min(u, np.nextafter(tiles[j], 0)) + shift < k + 1]
                cell += holds
            phi[(t, i, *cell)] = 1
    return phi.reshape(len(x), -1)


def elman(theta, obs, episodes, n_hidden, n_out):
    """h_t = tanh([x_t, h_{t−1}] W + b), y_t = h_t U + c, one row at a time."""
    size = (obs.shape[1] + n_hidden + 1) * n_hidden
    y, h = np.zeros((len(obs), n_out)), np.zeros(n_hidden)
    for t in range(len(obs)):
        if t in episodes:
            h = np.zeros(n_hidden)
        h = np.tanh(linear(theta[:size], np.concatenate([obs[t], h])[None], n_hidden)[0])
        y[t] = linear(theta[size:], h[None], n_out)[0]
    return y


def windows(obs, k, episodes):
    """The last k rows of the episode so far, oldest first, zeros where there are none."""
    out = np.zeros((len(obs), k * obs.shape[1]))
    for t in range(len(obs)):
        start = max(e for e in episodes if e <= t)
        rows = [obs[i] if i >= start else np.zeros(obs.shape[1]) for i in range(t - k + 1, t + 1)]
        out[t] = np.concatenate(rows)
    return out


def score_sums(scores, psi, offsets):
    """Σ_t Ψ_t f_t of every segment, row by row."""
    return [
        sum((psi[t] * scores[t] for t in range(a, b)), np.zeros(scores.shape[1]))
        for a, b in itertools.pairwise(offsets)
    ]


def trace_of_covariance(rows):
    """Σ_k of the sample variance of column k."""
    return sum(np.var(column, ddof=1) for column in np.transpose(rows))


def all_trajectories(start, P, terminal, pi, horizon):
    """(probability, states s_0 … s_T, actions a_0 … a_{T−1}) of every trajectory, one step at a time; pi[t][s][a]."""

    def grow(p, states, actions):
        t, s = len(actions), states[-1]
        if t == horizon or terminal[s]:
            yield p, states, actions
            return
        for a in range(len(P[s])):
            for nxt in range(len(P)):
                q = p * pi[t][s][a] * P[s][a][nxt]
                if q > 0:
                    yield from grow(q, [*states, nxt], [*actions, a])

    return [x for s, p in enumerate(start) if p > 0 for x in grow(p, [s], [])]


def return_of(R, gamma, states, actions, t=0):
    """Σ_{k≥t} γ^{k−t} r_k along one trajectory."""
    return sum(gamma ** (k - t) * R[states[k]][a][states[k + 1]] for k, a in enumerate(actions) if k >= t)


def action_value(P, R, terminal, pi, gamma, horizon, t, s, a):
    """Q_t(s,a) by recursion over everything that can follow."""
    if t == horizon or terminal[s]:
        return 0.0
    total = 0.0
    for nxt in range(len(P)):
        follow = (
            sum(
                pi[t + 1][nxt][b] * action_value(P, R, terminal, pi, gamma, horizon, t + 1, nxt, b)
                for b in range(len(P[s]))
            )
            if t + 1 < horizon
            else 0.0
        )
        total += P[s][a][nxt] * (R[s][a][nxt] + gamma * follow)
    return total


def n_step_return(rew, values, last, gamma, n):
    """Σ_{k<m} γ^k r_{t+k} + γ^m V(s_{t+m}), m = min(n, T − t); values of s_0 … s_{T−1}, last = V(s_T)."""
    T, v, out = len(rew), [*values, last], []
    for t in range(T):
        m = min(n, T - t)
        out.append(sum(gamma**k * rew[t + k] for k in range(m)) + gamma**m * v[t + m])
    return out


def gae(rew, values, last, gamma, lam):
    """Σ_k (γλ)^k δ_{t+k}."""
    T, v = len(rew), [*values, last]
    delta = [rew[t] + gamma * v[t + 1] - v[t] for t in range(T)]
    return [sum((gamma * lam) ** k * delta[t + k] for k in range(T - t)) for t in range(T)]


def lambda_return(rew, values, last, gamma, lam):
    """(1−λ) Σ_{n<T−t} λ^{n−1} G^(n)_t + λ^{T−t−1} G_t."""
    T, out = len(rew), []
    for t in range(T):
        n_step = [n_step_return(rew, values, last, gamma, n)[t] for n in range(1, T - t + 1)]
        mixed = (1 - lam) * sum(lam ** (n - 1) * n_step[n - 1] for n in range(1, T - t))
        out.append(mixed + lam ** (T - t - 1) * n_step[-1])
    return out


def vtrace(rew, values, last, rho, gamma, lam, rho_bar, c_bar):
    """V(s_t) + Σ_{k≥t} γ^{k−t} (Π_{t≤j<k} c_j) ρ_k δ_k (Espeholt et al. 2018, eq. 1)."""
    T, v = len(rew), [*values, last]
    out = []
    for t in range(T):
        total = v[t]
        for k in range(t, T):
            product = math.prod(lam * min(c_bar, rho[j]) for j in range(t, k))
            total += gamma ** (k - t) * product * min(rho_bar, rho[k]) * (rew[k] + gamma * v[k + 1] - v[k])
        out.append(total)
    return out


def entropy_return(rew, entropy, gamma, beta):
    """Σ_{k≥t} γ^{k−t} r_k + β Σ_{k>t} γ^{k−t} H_k."""
    T = len(rew)
    return [
        sum(gamma ** (k - t) * (rew[k] + (beta * entropy[k] if k > t else 0)) for k in range(t, T)) for t in range(T)
    ]


def optimal_baseline(g, R, w):
    """Σ w ‖g‖² R / Σ w ‖g‖²."""
    rows = list(zip(g, R, w, strict=True))
    return sum(wi * (gi @ gi) * Ri for gi, Ri, wi in rows) / sum(wi * (gi @ gi) for gi, _, wi in rows)


def best_state_baseline(scores, psi, offsets, cells, n_cells, w):
    """Σ w f_tᵀX / Σ w ‖f_t‖² over the rows of each cell, X the row's episode's Σ f Ψ; zero where there are none."""
    X = score_sums(scores, psi, offsets)
    b = np.zeros(n_cells)
    for c in range(n_cells):
        above = below = 0.0
        for i, (start, end) in enumerate(itertools.pairwise(offsets)):
            for t in range(start, end):
                if cells[t] == c:
                    above += w[i] * (scores[t] @ X[i])
                    below += w[i] * (scores[t] @ scores[t])
        b[c] = above / below if below else 0.0
    return b


def ridge_gradient(w, phi, y, c, ridge, centre):
    """∂/∂w of Σ c (φᵀw − y)² + λ‖w − w_l‖², row by row."""
    g = 2 * ridge * (w - centre)
    for row, target, weight in zip(phi, y, c, strict=True):
        g = g + 2 * weight * (row @ w - target) * row
    return g


def rewards_times_past_scores(scores, rew, offsets, gamma):
    """Σ_{t'} γ^{t'} r_{t'} Σ_{t≤t'} f_t of every segment."""
    return [
        sum(gamma ** (k - a) * rew[k] * scores[t] for k in range(a, b) for t in range(a, k + 1))
        for a, b in itertools.pairwise(offsets)
    ]


def per_decision(scores, rew, rho, offsets, gamma):
    """Σ_t f_t Π_{j≤t} ρ_j Σ_{k≥t} γ^k r_k Π_{t<j≤k} ρ_j of every segment."""
    out = []
    for a, b in itertools.pairwise(offsets):
        g = np.zeros(scores.shape[1])
        for t in range(a, b):
            later = sum(gamma ** (k - a) * rew[k] * math.prod(rho[t + 1 : k + 1]) for k in range(t, b))
            g = g + scores[t] * math.prod(rho[a : t + 1]) * later
        out.append(g)
    return out


def self_normalised(w, offsets):
    """N w_{i,t} / Σ_j w_{j,t}, an episode that has ended keeping its last weight."""
    episodes = [w[a:b] for a, b in itertools.pairwise(offsets)]
    return [
        len(episodes) * x / sum(e[min(t, len(e) - 1)] for e in episodes)
        for episode in episodes
        for t, x in enumerate(episode)
    ]


def point_mass(state, act):
    """State (x, y, goal x, goal y) and reward after a move: 0 stay, 1 right, 2 up, 3 left, 4 down."""
    x, y, goal_x, goal_y = state
    dx, dy = [(0, 0), (0.1, 0), (0, 0.1), (-0.1, 0), (0, -0.1)][act]
    x, y = min(max(x + dx, -1), 1), min(max(y + dy, -1), 1)
    return [x, y, goal_x, goal_y], -math.dist((x, y), (goal_x, goal_y))


def lane_keeping(params, state, act, noise):
    """State (y, ψ, κ), reward and end after a step of the kinematic bicycle on a road."""
    v, length, dt, w, steering, gust, k_sd, tau, k_max, drift = params
    y, psi, kappa = state
    delta = steering * min(max(act, -1), 1)
    y_new = y + v * math.sin(psi) * dt + drift * dt + gust * math.sqrt(dt) * noise[0]
    along = v * math.cos(psi) * dt / (1 - kappa * y)
    psi_new = psi + v / length * math.tan(delta) * dt - kappa * along
    kappa_new = kappa * (1 - dt / tau) + k_sd * math.sqrt(2 * dt / tau) * noise[1]
    state = [min(max(y_new, -4 * w), 4 * w), min(max(psi_new, -math.pi), math.pi), min(max(kappa_new, -k_max), k_max)]
    return state, max(1 - (state[0] / w) ** 2, 0), abs(state[0]) > w or abs(state[1]) > 1


def clipped_surrogate(rho, adv, clip_range):
    """min(ρ A, clip(ρ, 1−ε, 1+ε) A), row by row."""
    return [min(r * a, min(max(r, 1 - clip_range), 1 + clip_range) * a) for r, a in zip(rho, adv, strict=True)]


def softmax_fisher(policy, theta, obs, weights, n_actions):
    """Σ_t w_t Σ_a π(a|o_t) f(o_t, a) f(o_t, a)ᵀ."""
    F = np.zeros((len(theta), len(theta)))
    for row, w in zip(obs, weights, strict=True):
        for a in range(n_actions):
            at = policy.at(theta, row[None], np.array([a]))
            f = at.vjp_rows(np.ones(1))[0]
            F += w * np.exp(at.log_prob[0]) * np.outer(f, f)
    return F


def online_actor_critic(policy, theta, obs, act, rew, next_obs, terminated, begins, settings):
    """θ and the critic (w, c) after one transition after the other, with eligibility traces (Sutton and Barto 13.5)."""
    alpha, alpha_w, gamma, lam = settings

    def features(o):
        x = o if policy.normaliser is None else policy.normaliser(o[None])[0]
        return np.append(x, 1.0)

    theta, critic = theta.copy(), np.zeros(obs.shape[1] + 1)
    for t in range(len(obs)):
        if begins[t]:
            z, z_w, discount = np.zeros_like(theta), np.zeros_like(critic), 1.0
        x, following = features(obs[t]), 0.0 if terminated[t] else critic @ features(next_obs[t])
        delta = rew[t] + gamma * following - critic @ x
        z_w = gamma * lam * z_w + x
        z = gamma * lam * z + discount * policy.score(theta, obs[t : t + 1], act[t : t + 1])[0]
        critic = critic + alpha_w * delta * z_w
        theta = theta + alpha * delta * z
        discount *= gamma
    return theta, critic
