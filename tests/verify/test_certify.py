"""Certificates: exact moments of the library's estimators and of others', tables, pictures, and what is refused."""

import json

import numpy as np
import pytest

import npgrad
from npgrad.baselines import biased_batch_mean_return, leave_one_out_return, no_baseline
from npgrad.errors import InvalidInput, MissingExtra, NonFinite
from npgrad.estimators import PolicyGradient
from npgrad.oracle import SoftmaxBandit, TabularMDP, gradient, objective, trajectories, values
from npgrad.policies import make_policy
from npgrad.spaces import Box, Discrete
from npgrad.verify import certify_views
from npgrad.verify.certify import certify, measure
from npgrad.verify.certify_cases import Case, Settings, exact_gradient, exact_values, fixed_cases
from npgrad.verify.certify_references import references
from tests.verify.planted import scores

G = 0.8
ALL = [
    Settings(),
    Settings(n=1),
    Settings("discounted", G),
    Settings("discounted", G, with_values=True),
    Settings(behaviour="other"),
    Settings("surrogate", G, behaviour="other", with_values=True),
    Settings(ent_coef=0.3),
]


def reinforce(policy, theta, batch):
    R = batch.returns()[batch.segment]
    return policy.at(theta, batch.obs, batch.act).vjp(R) / batch.n_episodes


def by_complex_step(f, theta):
    return np.array([np.imag(f(theta + 1e-30j * e)) / 1e-30 for e in np.eye(len(theta))])


BIASED = {"∇J": {"batch mean", "without γ^t", "ratio of the step", "self-normalised", "A3C's bonus"}}
BIASED["∇L_β"] = {"batch mean", "ratio of the episode", "per decision", "leave-one-out", "self-normalised"}


@pytest.mark.parametrize("settings", ALL, ids=str)
def test_the_librarys_estimators_are_unbiased_but_for_some(settings):
    biased = BIASED["∇L_β" if settings.target == "surrogate" else "∇J"]
    for name, (estimator, separable, bootstraps) in references(settings).items():
        cases = [case for case in fixed_cases(settings) if case.complete or bootstraps]
        rows = [measure(estimator, case, settings, takes_values=bootstraps, separable=separable) for case in cases]
        worst = max(row.relative_bias for row in rows)
        assert worst > 1e-3 if name in biased else worst < 1e-12, name


def test_a_bandit_has_the_closed_form():
    """Bias and variance of three baselines against π ∘ (R − J) and the moments of a softmax bandit."""
    rewards = np.array([1.5, -0.5, 2.5])
    bandit = SoftmaxBandit(rewards)
    mdp = bandit.mdp()
    policy = make_policy(mdp, "linear")  # logits W + b: each of the three twice
    theta = np.random.default_rng(0).normal(size=policy.n_params)
    m = bandit.moments(theta[:3] + theta[3:])
    for baseline, n, variance in [
        (no_baseline, 1, m.variance()),
        (no_baseline, 2, m.variance() / 2),
        (leave_one_out_return, 2, m.leave_one_out_variances(2).sum()),
        (biased_batch_mean_return, 2, m.leave_one_out_variances(2).sum() / 4),
    ]:
        estimator = PolicyGradient(causality=False, baseline=baseline)
        certificate = certify(estimator, n=n, cases=[Case("bandit", mdp, policy, theta)], library=False)
        (row,) = certificate.rows
        assert row.variance == pytest.approx(2 * variance, rel=1e-12)
        factor = -0.5 if baseline is biased_batch_mean_return else 0.0
        np.testing.assert_allclose(row.bias, factor * np.tile(bandit.gradient(theta[:3] + theta[3:]), 2), atol=1e-14)


@pytest.mark.parametrize("settings", [Settings(), Settings("discounted", G)], ids=str)
def test_the_target_is_the_gradient_of_the_objective(settings):
    for case in fixed_cases(settings):
        expected = by_complex_step(lambda th, case=case: objective(case.mdp, case.policy, th), case.theta)
        np.testing.assert_allclose(exact_gradient(case, settings), expected, atol=1e-13)


def test_the_target_of_a_stopped_episode():
    """∇_θ of E[Σ_{t<L} γ^t r_t + γ^L V(s_L)] with V held fixed (V4)."""
    settings = Settings("discounted", G, with_values=True)
    for case in fixed_cases(settings)[4:]:
        V = exact_values(case, settings)

        def stopped(theta, case=case, V=V):
            t = trajectories(case.mdp, case.policy, case.theta, length=case.length)
            lin = case.policy.at(theta, t.batch.obs, t.batch.act)
            ratio = np.exp(t.sum(lin.log_prob - t.batch.logp))  # p_θ(τ)/p(τ), θ complex
            tail = np.where(t.batch.terminated, 0.0, V(t.batch).final) * G**t.batch.lengths
            return t.prob @ (ratio * (t.sum(G**t.batch.time * t.batch.rew) + tail))

        np.testing.assert_allclose(exact_gradient(case, settings), by_complex_step(stopped, case.theta), atol=1e-13)


def test_the_target_with_entropy():
    settings = Settings(ent_coef=0.3)
    for case in fixed_cases(settings):

        def regularised(theta, case=case):
            t = trajectories(case.mdp, case.policy, case.theta)
            log_pi = case.policy.at(theta, t.batch.obs, t.batch.act).log_prob
            return t.prob @ (np.exp(t.sum(log_pi - t.batch.logp)) * t.sum(t.batch.rew - 0.3 * log_pi))

        np.testing.assert_allclose(exact_gradient(case, settings), by_complex_step(regularised, case.theta), atol=1e-13)


def test_the_surrogate_at_the_policy_itself_is_the_gradient():
    case = fixed_cases(Settings())[2]
    own = Case(case.name, case.mdp, case.policy, case.theta, other=np.exp(_table(case)))
    surrogate = exact_gradient(own, Settings("surrogate", behaviour="other"))
    np.testing.assert_allclose(surrogate, gradient(case.mdp, case.policy, case.theta), atol=1e-14)


def _table(case):
    obs, act = np.repeat(case.mdp.obs, 2, axis=0), np.tile([0, 1], case.mdp.n_states)
    return case.policy.at(case.theta, obs, act).log_prob.reshape(-1, 2)


def test_values_are_exact_and_arbitrary_behind_a_termination():
    settings = Settings(with_values=True)
    case = fixed_cases(settings)[4]
    V = values(case.mdp, case.policy, case.theta).V
    t = trajectories(case.mdp, case.policy, case.theta, length=2, cut=True)
    got = exact_values(case, settings)(t.batch)
    np.testing.assert_array_equal(got.rows, V[t.batch.time, t.states])
    ended = t.batch.terminated
    np.testing.assert_array_equal(got.final[~ended], V[t.batch.lengths, t.final_states][~ended])
    assert (np.abs(got.final[ended]) > 0.1).all()


def test_policies_of_ones_own():
    assert certify(PolicyGradient(), policy="mlp", library=False).unbiased

    def with_features(mdp):
        return make_policy((mdp.observation_space, mdp.action_space), "mlp", hidden=(2,))

    assert certify(PolicyGradient(), policy=with_features, library=False).unbiased


def test_the_same_every_time():
    first, second = certify(reinforce), certify(reinforce)
    assert json.dumps(first.as_json()) == json.dumps(second.as_json())


def test_table_and_json():
    certificate = npgrad.certify(PolicyGradient(baseline=no_baseline))
    text = str(certificate)
    assert "PolicyGradient: batches of 2 of their own policy, γ = 1, target ∇J" in text
    assert "unbiased on all 4 problems" in text
    assert max(map(len, text.splitlines())) <= 120
    line = next(line for line in text.splitlines() if line.startswith("batch mean"))
    assert line.split()[-4:] == ["0.5000"] * 4
    content = certificate.as_json()
    assert content["unbiased"]
    assert [row["problem"] for row in content["problems"]] == [case.name for case in fixed_cases(Settings())]
    assert content["library"]["reward-to-go"][0]["variance"] == pytest.approx(content["problems"][0]["variance"])
    biased = str(certify(lambda policy, theta, batch: 2 * reinforce(policy, theta, batch), library=False))
    assert "BIASED on 4 of 4 problems, by up to 1 of ‖∇‖" in biased


def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    certificate = certify(reinforce, target="discounted", gamma=G, with_values=False)
    figure = certificate.plot(tmp_path / "c.png")
    assert (tmp_path / "c.png").stat().st_size > 10_000
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == ["reinforce", *certificate.library]


def test_picture_without_matplotlib(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(certify_views, "import_module", missing)
    with pytest.raises(MissingExtra, match=r'pip install "npgrad\[plots\]"'):
        certify(reinforce, library=False).plot()


def random_estimator():
    rng = np.random.default_rng(0)
    return lambda policy, theta, batch: reinforce(policy, theta, batch) + rng.normal(size=len(theta))


REFUSED = {
    "rows instead of a sum": (scores, {}, InvalidInput, r"shape \(2, 6\), expected \(6,\)"),
    "random": (random_estimator(), {}, InvalidInput, "the estimator is random.*give it a seed"),
    "NaN": (lambda policy, theta, batch: np.full(len(theta), np.nan), {}, NonFinite, "nan"),
    "complex": (
        lambda policy, theta, batch: reinforce(policy, theta, batch) + 1e-30j,
        {},
        InvalidInput,
        "gradient is complex",
    ),
    "no function": (3.0, {}, InvalidInput, "the estimator is a float, expected a function"),
    "too many arguments": (lambda p, t, b, v: 0, {}, InvalidInput, "with_values=True hands it the exact V"),
    "too few arguments": (reinforce, dict(with_values=True), InvalidInput, "policy, theta, batch, values"),
    "a misfit": (
        reinforce,
        dict(policy=lambda mdp: make_policy((Box(-1.0, 1.0, (5,), "float64"), Discrete(2)))),
        InvalidInput,
        "the policy takes 5 numbers",
    ),
    "no γ": (reinforce, dict(target="discounted"), InvalidInput, "needs the γ of your estimator"),
    "an unknown target": (reinforce, dict(target="average"), InvalidInput, "target is 'average', expected one of"),
    "an unknown behaviour": (reinforce, dict(behaviour="uniform"), InvalidInput, "behaviour is 'uniform'"),
    "three episodes": (reinforce, dict(n=3), InvalidInput, "n is 3, expected one of 1, 2"),
    "an unknown policy": (reinforce, dict(policy="cnn"), InvalidInput, "unknown policy 'cnn'"),
    "no problems": (reinforce, dict(cases=[]), InvalidInput, "no problems to certify on"),
    "entropy and values": (reinforce, dict(ent_coef=0.1, with_values=True), InvalidInput, "leave one out"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_refused(what):
    estimator, settings, error, message = REFUSED[what]
    with pytest.raises(error, match=message):
        certify(estimator, **settings)


def test_errors_say_on_which_problem():
    with pytest.raises(InvalidInput) as caught:
        certify(PolicyGradient(), n=1)
    assert "leave_one_out has 1 episode" in str(caught.value)
    assert caught.value.__notes__ == ["on the problem 'one step', with batches of n=1"]


def test_a_problem_without_horizon_is_refused():
    endless = TabularMDP([1.0], np.ones((1, 2, 1)), [[1.0, 0.0]], gamma=0.5)
    policy = make_policy(endless, "linear")
    case = Case("endless", endless, policy, np.zeros(policy.n_params))
    with pytest.raises(InvalidInput, match="horizon"):
        certify(reinforce, cases=[case], gamma=0.5)


def test_values_where_states_look_alike_are_refused():
    mdp = TabularMDP([0.5, 0.5], np.stack([np.eye(2)] * 2, 1), np.eye(2), horizon=1, obs=np.ones((2, 1)))
    policy = make_policy(mdp, "linear")
    case = Case("alike", mdp, policy, np.zeros(policy.n_params))
    with pytest.raises(InvalidInput, match="states look alike"):
        certify(lambda p, theta, b, v: reinforce(p, theta, b), with_values=True, cases=[case], library=False)


@pytest.mark.parametrize("rewards", [[[0.0, 0.0]], [[1.0, 1.0]]])
@pytest.mark.parametrize("look", [certify, npgrad.diagnose])
def test_a_problem_where_nothing_matters_is_refused(look, rewards):
    """Its gradient is zero, or what rounding leaves of it, and even a right estimator would be far off."""
    mdp = TabularMDP([1.0], np.ones((1, 2, 1)), rewards, horizon=2)
    policy = make_policy(mdp, "linear")
    case = Case("all the same", mdp, policy, np.random.default_rng(1).normal(size=policy.n_params))
    with pytest.raises(InvalidInput, match="'all the same' the gradient is zero"):
        look(reinforce, cases=[case])


def test_an_estimator_cannot_change_theta():
    def careless(policy, theta, batch):
        theta -= theta.mean()
        return reinforce(policy, theta, batch)

    with pytest.raises(ValueError, match="read-only"):
        certify(careless)
