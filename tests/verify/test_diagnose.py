"""Planted mistakes, written independently: each is caught by certify and named by diagnose."""

from functools import cache

import numpy as np
import pytest

from npgrad.estimators import GAE, PolicyGradient, ScoreFunction
from npgrad.oracle import probabilities, values
from npgrad.verify.certify_cases import Settings, exact_gradient, fixed_cases
from npgrad.verify.diagnose import diagnose
from npgrad.verify.diagnose_batches import all_batches
from npgrad.verify.diagnose_catalogue import MISTAKES, variants
from npgrad.verify.diagnose_forms import right_forms
from tests.verify.planted import (
    episodes,
    gae,
    mean,
    of_batch,
    of_ratios,
    of_rewards,
    product,
    ratios,
    right_value,
    scaled,
    scores,
    shifted,
    to_go,
    weighted,
)

G = 0.8  # γ of the discounted ones
DISCOUNTED = dict(target="discounted", gamma=G)
OTHER = dict(behaviour="other")
VALUES = dict(**DISCOUNTED, with_values=True)


def centred(columns):
    """Each number less the mean of its column, over episodes that are as long."""

    def psi(returns):
        longest = max(map(len, returns))
        b = [columns([ep[t] for ep in returns if t < len(ep)], len(returns)) for t in range(longest)]
        return [[x - b[t] for t, x in enumerate(ep)] for ep in returns]

    return psi


def standardise(returns):
    rows = [x for ep in returns for x in ep]
    m, s = mean(rows), np.std(rows)
    return [[(x - m) / (s + 1e-8) for x in ep] for ep in returns]


def no_gamma_t(rew):
    return to_go(rew, G)


def backwards(rew):
    return [sum(rew[: t + 1]) for t in range(len(rew))]


def twice_rho(rew, rho):
    T = len(rew)
    return [
        product(rho[: t + 1]) * sum(rew[k] * product(rho[t : k + 1]) for k in range(t, T)) for t in range(T)
    ]  # as CS285 4.4 prints it


def after_next_gamma(batch, values, i, row, last):
    return right_value(batch, values, i, row, last) / G  # δ takes γ times


def on_termination(batch, values, i, row, last):
    return values.final[i] if last else values.rows[row + 1]


def done_is_both(batch, values, i, row, last):
    over = batch.terminated[i] or batch.truncated[i]
    return (0.0 if over else values.final[i]) if last else values.rows[row + 1]


def next_state_baseline(policy, theta, batch, values):
    psi = []
    for i, rows in enumerate(episodes(batch)):
        tail = 0.0 if batch.terminated[i] else values.final[i]
        returns = to_go([*batch.rew[list(rows)], tail], G)[:-1]
        after = [right_value(batch, values, i, row, row == rows[-1]) for row in rows]
        psi.append([G**t * (g - v) for t, (g, v) in enumerate(zip(returns, after, strict=True))])
    return weighted(policy, theta, batch, psi)


def across(policy, theta, batch):
    """γ-discounted sums over the flat array, with no regard to where episodes end."""
    flat = to_go(batch.rew, G)
    psi = [[G**t * flat[row] for t, row in enumerate(rows)] for rows in episodes(batch)]
    return weighted(policy, theta, batch, psi)


def product_of_sums(policy, theta, batch):
    f = scores(policy, theta, batch)
    total = np.zeros(len(theta))
    for rows in episodes(batch):
        total += f[list(rows)].sum(axis=0) * sum(to_go(batch.rew[list(rows)], 1.0))
    return total / batch.n_episodes


def best_constant(policy, theta, batch):
    """b = Σ ‖F‖² R/Σ ‖F‖² over the batch itself."""
    f = scores(policy, theta, batch)
    F = [f[list(rows)].sum(axis=0) for rows in episodes(batch)]
    R = [sum(batch.rew[list(rows)]) for rows in episodes(batch)]
    b = sum(g @ g * r for g, r in zip(F, R, strict=True)) / sum(g @ g for g in F)
    return sum(g * (r - b) for g, r in zip(F, R, strict=True)) / batch.n_episodes


def probability_gradient(policy, theta, batch):
    pi = np.exp(policy.at(theta, batch.obs, batch.act).log_prob)
    psi = [np.array(to_go(batch.rew[list(rows)], 1.0)) * pi[list(rows)] for rows in episodes(batch)]
    return weighted(policy, theta, batch, psi)


def state_means(policy, theta, batch):
    """A table of V fitted on the batch it is used on."""
    returns = [to_go(batch.rew[list(rows)], 1.0) for rows in episodes(batch)]
    flat = np.concatenate(returns)
    states = batch.obs.argmax(axis=1)
    V = {s: flat[states == s].mean() for s in set(states)}
    psi = [
        [g - V[states[row]] for g, row in zip(ep, rows, strict=True)]
        for ep, rows in zip(returns, episodes(batch), strict=True)
    ]
    return weighted(policy, theta, batch, psi)


@cache
def tables():
    """Every problem of γ = 1, with its Q_t(s,a)."""
    cases = fixed_cases(Settings())
    return [(case.mdp, values(case.mdp, probabilities(case.mdp, case.policy, case.theta)).Q) for case in cases]


def Q_of(policy, batch):
    """Q_t(s,a) of the problem that the batch comes from."""
    shape, rewards = (policy.n_obs, policy.action_space.n), set(batch.rew)
    return next(Q for m, Q in tables() if (m.n_obs, m.n_actions) == shape and rewards <= set(m.R.ravel()))


def first_Q(policy, theta, batch):
    Q = Q_of(policy, batch)[0]
    psi = [[Q[batch.obs[row].argmax(), batch.act[row]] for row in rows] for rows in episodes(batch)]
    return weighted(policy, theta, batch, psi)


def less_Q(policy, theta, batch):
    Q = Q_of(policy, batch)
    psi = []
    for rows in episodes(batch):
        returns = to_go(batch.rew[list(rows)], 1.0)
        psi.append([returns[t] - Q[t, batch.obs[row].argmax(), batch.act[row]] for t, row in enumerate(rows)])
    return weighted(policy, theta, batch, psi)


def normalised_weights(policy, theta, batch):
    rho = ratios(policy, theta, batch)
    w = np.array([product(rho[list(rows)]) for rows in episodes(batch)])
    w = len(w) * w / w.sum()
    psi = [w[i] * np.array(to_go(batch.rew[list(rows)], 1.0)) for i, rows in enumerate(episodes(batch))]
    return weighted(policy, theta, batch, psi)


def with_entropy(sign, beta, later=True):
    """±β(−log π), of all steps to come or of the present one."""

    def estimator(policy, theta, batch):
        h = -policy.at(theta, batch.obs, batch.act).log_prob
        psi = []
        for rows in episodes(batch):
            r, e = batch.rew[list(rows)], sign * beta * h[list(rows)]
            psi.append(to_go(r + e, 1.0) if later else np.array(to_go(r, 1.0)) + e)
        return weighted(policy, theta, batch, psi)

    return estimator


def whole_ratio(rew, rho):
    return product(rho) * np.array(to_go(rew, 1.0))


PLANTED = [
    ("γ^t dropped", of_rewards(no_gamma_t), DISCOUNTED),
    ("γ^t twice", of_rewards(lambda r: [G ** (2 * t) * g for t, g in enumerate(to_go(r, G))]), DISCOUNTED),
    ("γ once too often", of_rewards(lambda r: [G ** (t + 1) * g for t, g in enumerate(to_go(r, G))]), DISCOUNTED),
    ("no γ in the return", of_rewards(lambda r: [G**t * g for t, g in enumerate(to_go(r, 1.0))]), DISCOUNTED),
    ("no γ at all", of_rewards(lambda r: to_go(r, 1.0)), DISCOUNTED),
    ("γ^t on the whole return", of_rewards(lambda r: [G**t * to_go(r, G)[0] for t in range(len(r))]), DISCOUNTED),
    ("a γ of its own", of_rewards(lambda r: to_go(r, 0.99)), {}),
    ("another objective", of_rewards(lambda r: [to_go(r, G)[0]] * len(r)), dict(gamma=G)),
    ("across episodes", across, DISCOUNTED),
    ("mean of the batch", of_batch(centred(lambda column, n: sum(column) / n)), {}),
    ("mean of those alive", of_batch(centred(lambda column, n: mean(column))), {}),
    ("sum for a mean in the baseline", of_batch(centred(lambda column, n: sum(column))), {}),
    ("mean of the own episode", of_batch(lambda Gs: [[x - mean(ep) for x in ep] for ep in Gs]), {}),
    ("standardised", of_batch(standardise), {}),
    ("V fitted on the batch", state_means, {}),
    ("baseline that knows the action", less_Q, {}),
    ("rewards late", of_rewards(lambda r: [G**t * g for t, g in enumerate(to_go(shifted(r, 1), G))]), DISCOUNTED),
    ("rewards early", of_rewards(lambda r: to_go(shifted(r, -1), 1.0)), {}),
    ("rewards clipped", of_rewards(lambda r: to_go(np.clip(r, -1, 1), 1.0)), {}),
    ("baseline per reward", of_rewards(lambda r: to_go([x - 0.7 for x in r], 1.0)), {}),
    ("causality backwards", of_rewards(backwards), {}),
    ("own reward alone", of_rewards(lambda r: r), {}),
    ("mean for a sum", of_rewards(lambda r: [mean(r[t:]) for t in range(len(r))]), {}),
    ("rewards missing", of_rewards(lambda r: [1.0] * len(r)), {}),
    ("best constant of the batch", best_constant, {}),
    ("product of sums", product_of_sums, {}),
    ("Q of the whole horizon", first_Q, {}),
    ("first step missing", of_rewards(lambda r: [0.0, *to_go(r, 1.0)[1:]]), {}),
    ("last step missing", of_rewards(lambda r: [*to_go(r, 1.0)[:-1], 0.0]), {}),
    ("∇π for ∇log π", probability_gradient, {}),
    ("sign", scaled(lambda batch: -1.0), {}),
    ("half", scaled(lambda batch: 0.5), {}),
    ("sum over episodes", scaled(lambda batch: batch.n_episodes), {}),
    ("mean over all steps", scaled(lambda batch: batch.n_episodes / batch.n_steps), {}),
    ("mean over an episode's steps", of_rewards(lambda r: [g / len(r) for g in to_go(r, 1.0)]), {}),
    ("another length", scaled(lambda batch: 0.3), {}),
    ("nothing left", PolicyGradient(baseline=lambda psi, batch: psi), {}),
    ("sign of the entropy", with_entropy(-1, 0.3), dict(ent_coef=0.3)),
    ("entropy of the step alone", with_entropy(1, 0.3, later=False), dict(ent_coef=0.3)),
    ("no entropy", with_entropy(0, 0.3), dict(ent_coef=0.3)),
    ("entropy that the target lacks", with_entropy(1, 0.3), {}),
    ("ρ_t twice", of_ratios(twice_rho), OTHER),
    ("no ratios", of_ratios(lambda r, rho: to_go(r, 1.0)), OTHER),
    ("ratio of the step alone", of_ratios(lambda r, rho: rho * to_go(r, 1.0)), OTHER),
    ("future ratios missing", of_ratios(lambda r, rho: np.cumprod(rho) * to_go(r, 1.0)), OTHER),
    ("ratio upside down", of_ratios(lambda r, rho: to_go(r, 1.0) / product(rho)), OTHER),
    ("weights clipped", of_ratios(lambda r, rho: min(product(rho), 1.5) * np.array(to_go(r, 1.0))), OTHER),
    ("weights normalised", normalised_weights, OTHER),
    ("ratio of the episode", of_ratios(whole_ratio), dict(**OTHER, target="surrogate")),
    ("bootstrapped on termination", gae(G, 0.95, value_after=on_termination), VALUES),
    ("not bootstrapped on truncation", gae(G, 0.95, value_after=done_is_both), VALUES),
    ("V(s_{t+1}) without γ", gae(G, 0.0, value_after=after_next_gamma), VALUES),
    ("rewards late", gae(G, 0.9, value_after=right_value, rewards=lambda r: shifted(r, 1)), VALUES),
    ("V of the next state as baseline", next_state_baseline, VALUES),
]


@pytest.mark.parametrize(("key", "estimator", "settings"), PLANTED, ids=[key for key, _, _ in PLANTED])
def test_a_planted_mistake_is_caught_and_named(key, estimator, settings):
    diagnosis = diagnose(estimator, **settings)
    assert not diagnosis.certificate.unbiased
    assert diagnosis.certificate.relative_bias > 0.01
    assert diagnosis.keys == [(key,)]
    says = next(m.says for m in MISTAKES if m.key == key)
    assert says in str(diagnosis)


def test_enough_sorts_of_mistakes_are_planted():
    assert len({key for key, _, _ in PLANTED}) >= 40


SETTINGS = [
    Settings(),
    Settings(**DISCOUNTED),
    Settings(gamma=G),
    Settings(**VALUES),
    Settings(**OTHER),
    Settings(target="surrogate", gamma=G, **OTHER),
    Settings(ent_coef=0.3),
]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_the_right_forms_are_right(settings):
    """Their means are the exact gradients, so that what is put into them is what biases."""
    own = Settings(**{**vars(settings), "target": "discounted" if settings.gamma == G else "undiscounted"})
    own = settings if settings.target == "surrogate" else own
    for case in fixed_cases(own):
        x, gradient = all_batches(case, own, 2), exact_gradient(case, own)
        for form in right_forms(own):
            np.testing.assert_allclose(x.mean(form.psi(x)), gradient, rtol=0, atol=1e-12)


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_every_known_mistake_shows_on_some_problem(settings):
    cases = fixed_cases(settings)
    batches = [(all_batches(case, settings, n), exact_gradient(case, settings)) for case in cases for n in (2, 1)]
    forms = right_forms(settings)[:5]
    for mistake, variant in variants(settings):
        made = [variant.put_into(form, 0.5) for form in forms if form.kind in variant.kinds]
        bias = [np.linalg.norm(x.mean(form.psi(x)) - g) / np.linalg.norm(g) for x, g in batches for form in made]
        assert not made or max(b for b in bias if np.isfinite(b)) > 1e-4, mistake.key


def test_two_mistakes_at_once():
    rewards_late_and_summed = of_rewards(lambda r: [2 * G**t * g for t, g in enumerate(to_go(shifted(r, 1), G))])
    diagnosis = diagnose(rewards_late_and_summed, **DISCOUNTED)
    assert ("rewards late", "twice") in diagnosis.keys
    assert "; and " in str(diagnosis)


def test_an_unknown_mistake_gets_the_nearest_known_one():
    odd = of_rewards(lambda r: [g + 0.01 * g**3 for g in to_go(r, G)])
    diagnosis = diagnose(odd, **DISCOUNTED)
    assert diagnosis.matches == ()
    assert diagnosis.nearest[0].key == ("γ^t dropped",)
    assert 0.5 < diagnosis.nearest[0].explained < 1
    assert "No known mistake has exactly this bias" in str(diagnosis)
    nonsense = of_rewards(lambda r: [20 * np.sin(9 * g + t) for t, g in enumerate(to_go(r, 1.0))])
    assert "comes near" in str(diagnose(nonsense, cases=fixed_cases(Settings())[1:3]))


def test_right_estimators_have_nothing_to_diagnose():
    def with_gae(policy, theta, batch, values):
        return ScoreFunction(GAE(lambda _: values, G, 0.9), discount=G)(policy, theta, batch)

    for estimator, settings in [(PolicyGradient(), {}), (PolicyGradient(gamma=G), DISCOUNTED), (with_gae, VALUES)]:
        diagnosis = diagnose(estimator, **settings)
        assert diagnosis.unbiased
        assert diagnosis.matches == ()
        assert "nothing to diagnose" in str(diagnosis)


def test_a_sum_is_told_from_a_factor_by_batches_of_one():
    """Both double the mean of batches of two; a baseline of the batch and a factor ½ halve it."""
    twice, summed = scaled(lambda batch: 2.0), scaled(lambda batch: batch.n_episodes)
    assert diagnose(twice).keys == [("twice",)]
    assert diagnose(summed).keys == [("sum over episodes",)]


def test_the_baseline_does_not_hide_the_mistake():
    """With a constant baseline of one's own the covariance is another, but the mean gives the mistake away."""
    estimator = of_rewards(lambda r: [g - 1.3 for g in to_go(shifted(r, -1), 1.0)])
    diagnosis = diagnose(estimator)
    assert diagnosis.keys == [("rewards early",)]
    assert not diagnosis.matches[0].covariance
    assert "the mean agrees" in str(diagnosis)


def test_a_leave_one_out_with_a_mistake():
    """It refuses batches of one, which is no obstacle."""
    right = PolicyGradient(gamma=G, discount_states=False)
    assert diagnose(right, **DISCOUNTED).keys == [("γ^t dropped",)]
