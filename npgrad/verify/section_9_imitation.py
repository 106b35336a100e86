"""Section 9: imitation (I1 … I5). Derived in docs/derivations/imitation.md."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..data import GoalColumns, relabel
from ..distributions import Categorical
from ..functions import Featured, Linear
from ..imitation import chain_costs, chain_policy, cloning_loss, mistake_chain
from ..oracle import TabularMDP, greedy, marginals, objective, optimal_values, probabilities, scores, trajectories
from ..policies import ComposedPolicy, make_policy
from ..spaces import Box, Discrete
from ..types import Array, Batch, FloatArray
from .catalogue import Finding, statement
from .measures import complex_gradient, difference, must, slope, worst
from .problem import Problem
from .tabular_cases import row_weights, table_policy, visits


@statement(
    id="I1",
    section=9,
    statement="Behaviour cloning: L = −E_D log π(a|s), ∇L = −E_D f, with weights as well",
    source="CS224R, CS285 2",
    kind="diff",
)
def cloning(problem: Problem) -> Finding:
    """D is data, and no θ is in it: ∇ passes through the mean, and ∇ −log π(a|s) is −f. For a softmax −log π is the
    cross-entropy log Σ_b e^{y_b} − y_a; for a Gaussian ½ Σ_j ((a_j − μ_j)/σ_j)² + log σ_j + ½ log 2π.

    Measured: the library's L and ∇L on random rows against these two formulas, written out on y, and a complex step
    through them; with and without weights, linear and an MLP.
    """
    rng, residuals = problem.rng(), []
    obs, w = rng.normal(size=(7, 3)), rng.normal(size=7)
    for action_space in (Discrete(3), Box(-9.0, 9.0, (2,), "float64")):
        for kind in ("linear", "mlp"):
            policy = make_policy((Box(-9.0, 9.0, (3,), "float64"), action_space), kind, hidden=(3,))
            act = rng.integers(3, size=7) if isinstance(action_space, Discrete) else rng.normal(size=(7, 2))
            theta, batch = problem.theta(policy), _rows(obs, act)

            def each(x: Array, policy: ComposedPolicy = policy, act: Array = act) -> Array:
                return _minus_log(policy.function.at(x, obs).y, act)

            for weights in (None, w):
                v = np.ones(7) if weights is None else weights
                loss, gradient = cloning_loss(policy, theta, batch, weights)
                residuals += [
                    difference(loss, v @ each(theta) / 7),
                    difference(gradient, complex_gradient(lambda x: v @ each(x) / 7, theta)),  # noqa: B023
                ]
    return Finding(worst(*residuals))


@statement(
    id="I2",
    section=9,
    statement="A chain where a mistake is for good: ‖p_θ − p_train‖₁ = 2(1−(1−ε)^t) ≤ 2εt; cost ≤ εT(T+1)/2; DAgger εT",
    source="CS285 2.1",
    kind="exact",
)
def compounding(problem: Problem) -> Finding:
    """With probability (1 − ε)^t a policy that errs in ε of the steps has made no mistake before t, and is where the
    expert would be: p_θ(s_t) = (1 − ε)^t p_train(s_t) + (1 − (1 − ε)^t) p_mistake(s_t). Subtract p_train: the distance
    is (1 − (1 − ε)^t) ‖p_mistake − p_train‖₁, at most twice the factor, as much where the two have no state in common;
    and (1 − ε)^t ≥ 1 − εt. On the chain p_train is on the track and p_mistake off it. The cost c = 1[a ≠ π*(s)] of step
    t is 1 unless all of 0 … t went well:

        Σ_{t<T} (1 − (1 − ε)^{t+1}) = T − (1 − ε)(1 − (1 − ε)^T)/ε ≤ Σ_t ε(t + 1) = εT(T + 1)/2

    If instead the error is ε under p_θ itself, which is what DAgger's data tend to, each step costs ε: εT. That holds
    on any problem; and with error ε in each state the distance is at most 2(1 − (1 − ε)^t) on any too.

    Measured: the oracle's marginals and costs on the chain against the closed forms and the bounds, for random ε; the
    exponents of T at ε = 10⁻⁵, within 0.1 of 2 and of 1; on a random problem with a random expert, the distance and the
    cost of a policy that errs in ε of the steps everywhere.
    """
    rng, horizons = problem.rng(), np.arange(1, 30)
    residuals = []
    for epsilon in rng.uniform(1e-3, 0.9, size=3):
        T, t = 30, np.arange(31)
        p_train = marginals(mistake_chain(T), np.array([[1.0, 0.0], [1.0, 0.0]]))
        apart = np.abs(marginals(mistake_chain(T), chain_policy(epsilon, recovers=False)) - p_train).sum(axis=1)
        costs, q = chain_costs(epsilon, horizons), 1 - epsilon
        residuals += [
            difference(apart, 2 * (1 - q**t)),
            difference(costs.clone, horizons - q * (1 - q**horizons) / epsilon),
            difference(costs.dagger, epsilon * horizons),
            difference(costs.dagger_bound, epsilon * horizons),
            difference(costs.clone_bound, epsilon * np.cumsum(horizons)),
            must((apart <= 2 * epsilon * t + 1e-12).all() and (costs.clone <= costs.clone_bound + 1e-12).all()),
        ]
    far = np.array([25, 50, 100, 200, 400])
    costs = chain_costs(1e-5, far)
    exponents = slope(far, costs.clone), slope(far, costs.dagger)
    mdp, expert = _with_costs(problem.random_mdp(4, 3, 8, stream=90), rng)
    erring = 0.8 * expert + 0.2 * (1 - expert) / 2
    apart = np.abs(marginals(mdp, erring) - marginals(mdp, expert)).sum(axis=1)
    return Finding(
        worst(
            *residuals,
            must(abs(exponents[0] - 2) < 0.1 and abs(exponents[1] - 1) < 0.1),
            must((apart <= 2 * (1 - 0.8 ** np.arange(9)) + 1e-12).all()),
            difference(objective(mdp, erring), 0.2 * 8),
        ),
        numbers={"exponent of T, cloning": exponents[0], "exponent of T, DAgger": exponents[1]},
    )


@statement(
    id="I3",
    section=9,
    statement="Cloning on goals in hindsight estimates p_π(a_t = a | s_t = s, s_T = g), pooled over t; iterated too",
    source="CS285 2.2",
    kind="exact",
)
def hindsight(problem: Problem) -> Finding:
    """Relabelled, step t of a trajectory is the demonstration (s_t, g = s_T) → a_t. Of a table with a row for each (s,
    g) the likelihood falls apart into rows, and each is greatest at the frequencies (L4: Σ_a q(a) f(a) = 0 at π = q):

        π_{k+1}(a|s, g) = Σ_t p(s_t = s, a_t = a, s_T = g) / Σ_t p(s_t = s, s_T = g)

    under π_k with the goals that it was given, drawn from p(g') and independent of the g that was reached. It is the
    posterior of the action given where it led, pooled over t: at no single t it need be that.

    Measured, for three iterations from a random π_0: ∇L, by the library's relabelling and scores on every trajectory
    with its probability, at the logarithm of the posterior by dynamic programming (d_t forward, p(s_T = g | s_{t+1})
    backward); and that some other θ has a greater L.
    """
    S, A, T = 3, 2, 3
    base = problem.random_mdp(S, A, T, stream=91)
    p_goal = problem.rng().dirichlet(np.ones(S))
    mdp = _with_goals(base, p_goal)
    policy = _pair_policy(mdp, S, A)
    theta, residuals, apart = problem.theta(policy), [], 0.0
    for _ in range(3):
        pi = probabilities(mdp, policy, theta).reshape(S, S, A)  # π(a|s, g') at [g', s]
        t = trajectories(mdp, policy, theta)
        batch = relabel(t.batch, GoalColumns(desired=(1,), achieved=(0,)), which="final")
        joint = _hindsight(base, pi, p_goal)  # (T, S, A, S): p(s_t = s, a_t = a, s_T = g)
        pooled = joint.sum(axis=0)
        q = (pooled / pooled.sum(axis=1, keepdims=True)).transpose(0, 2, 1)  # q(a|s, g) at [s, g, a]
        first = joint[0] / joint[0].sum(axis=1, keepdims=True)
        apart = max(apart, float(np.abs(first.transpose(0, 2, 1) - q)[base.start > 0].max()))
        theta = np.log(q).ravel()
        weights = row_weights(t) * batch.n_steps  # L is then Σ_τ p(τ) Σ_t −log π
        loss, gradient = cloning_loss(policy, theta, batch, weights)
        other, _ = cloning_loss(policy, theta + 0.1 * problem.theta(policy, 1), batch, weights)
        residuals += [difference(gradient, np.zeros(len(theta))), must(other > loss)]
    return Finding(worst(*residuals, must(apart > 1e-6)), numbers={"p at t = 0 alone less pooled, largest": apart})


@statement(
    id="I4",
    section=9,
    statement="If the error is ε in the mean over the expert's own states, the cost is at most T²ε",
    source="CS285 2.1 (stated, not proved)",
    kind="bound",
)
def looser_assumption(problem: Problem) -> Finding:
    """Let e_t = E_{s_t ~ p_train}[π_θ(a ≠ π*(s_t)|s_t)] and ε = 1/T Σ_t e_t. Before its first mistake the learner is
    where the expert would be: it is in s at t without one with probability p_train(s_t = s) times that of no mistake on
    the way, at most p_train(s_t = s). So the first mistake comes at t with probability at most e_t, and what is left
    costs at most T − t, the mistake among them:

        E Σ_t c_t ≤ Σ_t e_t (T − t) ≤ T Σ_t e_t = T²ε

    Both are equalities if all mistakes are made at t = 0 and none is made good. With the same e_t = ε throughout the
    sum is εT(T + 1)/2, as in I2.

    Measured: costs by the oracle on random problems with random experts, with learners from good to bad, against both
    sums; and the chain with mistakes in the first step alone.
    """
    violations, ratios, rng = [], [], problem.rng()
    for i, T in enumerate((2, 5, 9, 14)):
        mdp, expert = _with_costs(problem.random_mdp(4, 3, T, stream=92 + i), rng)
        for bad in (0.01, 0.1, 0.5, 1.0):
            error = bad * rng.random(mdp.n_states)[:, None]
            learner = (1 - error) * expert + error * (1 - expert) / 2
            e = visits(mdp, expert) @ error[:, 0]
            cost, bound = float(objective(mdp, learner)), T**2 * float(np.mean(e))
            violations += [cost - float(e @ (T - np.arange(T))), cost - bound]
            ratios.append(cost / bound)
    T, once = 7, np.tile(np.array([[1.0, 0.0], [0.0, 1.0]]), (7, 1, 1))
    once[0, 0] = [0.6, 0.4]
    tight = float(objective(mistake_chain(T), once)) - T**2 * (0.4 / T)
    return Finding(
        max(0.0, *violations, abs(tight)), numbers={"cost over T²ε on random problems, largest": max(ratios)}
    )


@statement(
    id="I5",
    section=9,
    statement="The clone equals the demonstrator in the limit; its mode can beat a noisy demonstrator, or be worse",
    source='CS224R ("cannot outperform")',
    kind="exact",
)
def clone_and_demonstrator(problem: Problem) -> Finding:
    """In the limit of data D is p_π* itself, and L(θ) = −E Σ_t log π_θ(a_t|s_t). Subtract its value at π*:

        L(θ) − L* = Σ_t E_{d_t} KL(π*(·|s_t) ‖ π_θ(·|s_t)) ≥ 0

    It is 0 only where the two agree in all states that are visited, and then J is the same: the clone, if it draws as
    it was taught, cannot outperform. Its mode is another policy. A demonstrator who takes the best action but for a
    share η < 1 of uniform ones has the best action for mode: the noise goes, and J(mode) = J* > J(π*). One who mostly
    errs is outdone by nobody's mode: one state, rewards (1, 0), π* = (0.4, 0.6) has J = 0.4, and the mode 0.

    Measured: the library's L and ∇L on every trajectory with its probability, at the demonstrator's θ and elsewhere,
    against the oracle's occupancies; J of noisy demonstrators and of their modes by the oracle.
    """
    mdp = problem.mdp
    policy = table_policy(mdp)
    expert, other = problem.theta(policy), problem.theta(policy, 1)
    pi, pi_other = probabilities(mdp, policy, expert), probabilities(mdp, policy, other)
    t = trajectories(mdp, policy, expert)
    weights = row_weights(t) * t.batch.n_steps
    least, gradient = cloning_loss(policy, expert, t.batch, weights)
    loss, slope_there = cloning_loss(policy, other, t.batch, weights)
    d = visits(mdp, pi)
    kl = np.sum(pi * np.log(pi / pi_other), axis=1)
    f = scores(mdp, policy, other)
    residuals = [
        difference(gradient, np.zeros(len(expert))),
        difference(loss - least, np.sum(d @ kl)),
        difference(slope_there, -np.einsum("ts,sa,sap->p", d, pi, f)),
        must(loss > least),
    ]
    gains = []
    for eta in (0.1, 0.5, 0.9):
        endless = problem.endless
        best = greedy(optimal_values(endless).Q)
        noisy = (1 - eta) * best + eta / endless.n_actions
        mode = np.eye(endless.n_actions)[noisy.argmax(axis=1)]
        residuals.append(difference(mode, best))
        gains.append(float(objective(endless, mode) - objective(endless, noisy)))
    one = TabularMDP(np.ones(1), np.ones((1, 2, 1)), np.array([[1.0, 0.0]]), horizon=1)
    worse = float(objective(one, np.array([[0.0, 1.0]])) - objective(one, np.array([[0.4, 0.6]])))
    return Finding(
        worst(*residuals, must(min(gains) > 0), difference(worse, -0.4)),
        numbers={"J(mode) − J(noisy), η = 0.1, 0.5, 0.9": ", ".join(f"{x:.4f}" for x in gains)},
    )


def _minus_log(y: Array, act: Array) -> Array:
    """−log π of a softmax for actions (T,), of a Gaussian with y = (μ, log σ) for actions (T, 2)."""
    if act.ndim == 1:
        return np.asarray(np.log(np.exp(y).sum(axis=1)) - y[np.arange(len(y)), act])
    mu, log_std = y[:, :2], y[:, 2:]
    z = (act - mu) / np.exp(log_std)
    return np.asarray((z**2 / 2 + log_std + np.log(2 * np.pi) / 2).sum(axis=1))


def _rows(obs: Array, act: Array) -> Batch:
    """Rows as one episode without rewards."""
    n = len(obs)
    return Batch(obs, act, np.zeros(n), np.zeros(n), np.array([0, n]), np.ones(1), np.zeros(1), obs[:1])  # type: ignore[arg-type]


def _with_costs(mdp: TabularMDP, rng: np.random.Generator) -> tuple[TabularMDP, FloatArray]:
    """The same problem with c(s,a) = 1[a ≠ π*(s)] for rewards, and a random deterministic π*."""
    expert = np.eye(mdp.n_actions)[rng.integers(mdp.n_actions, size=mdp.n_states)]
    return mdp.replace(R=1 - expert), expert


def _with_goals(base: TabularMDP, p_goal: FloatArray) -> TabularMDP:
    """States (g, s), g S + s: a goal that stays beside the state; (s, g) is observed."""
    S = base.n_states
    P = np.einsum("sax,gh->gsahx", base.P, np.eye(S)).reshape(S * S, base.n_actions, S * S)
    obs = np.stack([np.tile(np.arange(S), S), np.repeat(np.arange(S), S)], axis=1).astype(float)
    start = np.outer(p_goal, base.start).ravel()
    return TabularMDP(start, P, np.zeros((S * S, base.n_actions)), horizon=base.horizon, obs=obs)


@dataclass(frozen=True)
class _Pairs:
    """φ(s, g) = the one-hot row of s S + g."""

    size: int
    n_in: int = 2

    @property
    def n_out(self) -> int:
        """S²."""
        return self.size**2

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """(T, S²)."""
        s, g = np.asarray(obs, dtype=int).T
        one_hot: Array = np.eye(self.n_out)[s * self.size + g]
        return one_hot


def _pair_policy(mdp: TabularMDP, S: int, A: int) -> ComposedPolicy:
    """The softmax of a table over (s, g)."""
    f = Featured(_Pairs(S), Linear(S * S, A, bias=False))
    return ComposedPolicy(f, Categorical(A), mdp.observation_space, mdp.action_space)


def _hindsight(base: TabularMDP, pi: Array, p_goal: FloatArray) -> Array:
    """p(s_t = s, a_t = a, s_T = g), (T, S, A, S), under π(a|s, g') at [g', s] with g' ~ p."""
    T = base.horizon or 0
    joint = np.zeros((T, base.n_states, base.n_actions, base.n_states))
    for p, table in zip(p_goal, pi, strict=True):
        d = marginals(base, table)
        later = np.eye(base.n_states)  # p(s_T = g | s_{t+1})
        for t in reversed(range(T)):
            led = np.einsum("sax,xg->sag", base.P, later)
            joint[t] += p * d[t][:, None, None] * table[:, :, None] * led
            later = np.einsum("sa,sag->sg", table, led)
    return joint
