"""Agents of every kind that can be taken apart (`npgrad.deploy.program`), and observations to try them on."""

import numpy as np

from npgrad.deploy import Agent
from npgrad.distributions import Bernoulli, Categorical, DiagonalGaussian, Product
from npgrad.functions import MLP, Concatenated, Constant, Fixed, Linear
from npgrad.policies import Clip, ComposedPolicy, Identity, Normaliser, Offset, Rescale, make_policy
from npgrad.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

REALS = Box(-np.inf, np.inf, (4,))
DOUBLES = Box(-np.inf, np.inf, (4,), "float64")
TWO = Box([-1.0, 0.0], [1.0, 3.0])
NORMALISER = Normaliser(np.array([0.1, -2.0, 5.0, 0.0]), np.array([1.0, 3.0, 0.5, 0.1]))


def _policies():
    yield "linear softmax", make_policy((REALS, Discrete(3)))
    yield "normalised softmax", make_policy((DOUBLES, Discrete(4, start=-2)), "mlp").with_normaliser(NORMALISER)
    yield "relu, shared σ, clip", make_policy((REALS, TWO), "mlp", hidden=(16, 8), activation="relu")
    yield "state σ, tanh", make_policy((DOUBLES, TWO), "mlp", hidden=(7,), std="state", action_map="tanh")
    yield "fixed σ, rescale", make_policy((REALS, TWO), std="fixed", log_std_init=-1.0, action_map="rescale")
    yield "softmaxes", make_policy((DOUBLES, MultiDiscrete((3, 2), start=(1, 0))), "mlp", hidden=(5,))
    yield "coins", make_policy((REALS, MultiBinary(3)))
    yield "masked", make_policy((DOUBLES, Discrete(5)), "mlp", hidden=(6,), masked=True).with_normaliser(NORMALISER)
    yield (
        "image, no bias",
        ComposedPolicy(Linear(4, 2, bias=False), Categorical(2), Box(-9.0, 9.0, (2, 2)), Discrete(2)),
    )
    sensors = Dict({"door": Discrete(2, start=1), "place": Box(-np.inf, np.inf, (2,))})
    yield "sensors", make_policy((sensors, Discrete(3)), "mlp", hidden=(), activation="identity")
    yield "one of many", make_policy((REALS, MultiDiscrete((4,))))
    mixed = Product((Categorical(3), Product((DiagonalGaussian(2), Bernoulli(2)))))
    f = Concatenated((MLP(4, 3, (5,)), Concatenated((Linear(4, 1), Fixed(4, (0.5,)), Constant(4, 2))), Linear(4, 2)))
    yield "mixture of kinds", ComposedPolicy(f, mixed, DOUBLES, Box(-9.0, 9.0, (5,), "float64"), Identity())
    gap = Concatenated((Linear(4, 1), Constant(4, 2), Fixed(4, (-0.3,))))  # μ and log σ cut across the parts
    yield "cut across", ComposedPolicy(gap, DiagonalGaussian(2), REALS, TWO, Clip((-1.0, 0.0), (1.0, 3.0)))
    yield "offset of one", ComposedPolicy(Linear(4, 3), Categorical(3), REALS, Discrete(3, start=7), Offset(7))
    yield (
        "rescaled alone",
        ComposedPolicy(
            Concatenated((Linear(4, 1), Fixed(4, (-0.2,)))),
            DiagonalGaussian(1),
            REALS,
            Box(0.0, 4.0),
            Rescale((0.0,), (4.0,)),
        ),
    )


POLICIES = dict(_policies())


def agent_of(name, dtype=np.float64, seed=0):
    """An agent with θ drawn by a seed; only as large as trained ones."""
    policy = POLICIES[name]
    return Agent(policy, np.random.default_rng(seed).normal(scale=0.3, size=policy.n_params).astype(dtype))


def observations(agent, n, seed=1):
    """n flat observations (n, d), masks included: random ones of three sizes, and edges; all are float32 numbers."""
    rng = np.random.default_rng(seed)
    d, m = agent.policy.function.n_in, agent.policy.n_masked
    x = rng.normal(size=(n, d)) * rng.choice([0.1, 1.0, 5.0], size=(n, 1))
    layer = agent.policy.normaliser
    x = x if layer is None else layer.mean + layer.std * x
    edges = [0.0, -0.0, 1.0, -1.0, 1e-40, 5e-324, 1e3, -1e3, 1e6, 16777216.0]
    x[: len(edges)] = np.array(edges)[:, None]
    x[len(edges) : len(edges) + d] = 1e3 * np.eye(d)
    if agent.policy.observation_space == POLICIES["sensors"].observation_space:
        x[:, :2] = np.eye(2)[rng.integers(2, size=n)]
    mask = rng.integers(2, size=(n, m))
    if m:
        mask[np.arange(n), rng.integers(m, size=n)] = 1
    return np.concatenate([x.astype(np.float32).astype(np.float64), mask], axis=1)
