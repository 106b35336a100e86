"""Every function, distribution, policy and compiled environment that npgrad offers passes its own check."""

import inspect

import gymnasium
import numpy as np
import pytest

from npgrad import distributions, functions
from npgrad.checks import check_distribution, check_environment, check_function, check_policy
from npgrad.distributions import (
    Autoregressive,
    Bernoulli,
    Categorical,
    Deterministic,
    DiagonalGaussian,
    FullGaussian,
    GaussianMixture,
    Product,
)
from npgrad.envs import compiled_twin
from npgrad.functions import (
    MLP,
    RBF,
    ActionPreferences,
    Concatenated,
    Constant,
    Featured,
    Fixed,
    Fourier,
    Linear,
    OneHot,
    Polynomial,
    Recurrent,
    Stacked,
    TileCoding,
)
from npgrad.policies import ComposedPolicy, Normaliser, make_policy
from npgrad.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete

rng = np.random.default_rng(0)
ONE_HOT = rng.integers(0, 3, size=(6, 2))
SA = Featured(Polynomial(3, degree=2), Linear(10, 1, bias=False))

FUNCTIONS = [
    (Linear(3, 2), {}),
    (Linear(1, 1, bias=False), {}),
    (MLP(3, 2, hidden=(4, 5)), {}),
    (MLP(3, 2, hidden=(4, 4), activation="relu"), {}),
    (MLP(3, 2, hidden=(), activation="identity"), {}),
    (MLP(4, 2), {}),  # more parameters than are checked one by one
    (Constant(3, 2, start=-0.5), {}),
    (Fixed(3, (0.1, 0.2)), {}),
    (Concatenated((MLP(3, 2, hidden=(4,)), Constant(3, 2), Fixed(3, (0.5,)))), {}),
    (Concatenated((Recurrent(3, 2, 4), Constant(3, 2))), {}),
    (Featured(OneHot((3, 3)), Linear(6, 2)), {"obs": ONE_HOT}),
    (Featured(Polynomial(2, degree=3), MLP(10, 2, hidden=(3,))), {}),
    (Featured(Fourier.cosine([-3, -3], [3, 3], order=2), Linear(9, 2)), {}),
    (Featured(RBF.grid([-1, -1], [1, 1], 3, normalised=True), Linear(9, 2)), {}),
    (Featured(TileCoding([-1, -1], [1, 1], tiles=2, tilings=3), Linear(27, 2)), {}),
    (ActionPreferences(SA, n_actions=4), {}),
    (Recurrent(3, 2, n_hidden=4), {}),
    (Stacked(MLP(6, 2, hidden=(3,)), k=2), {}),
    (Stacked(Recurrent(6, 2, n_hidden=3), k=3), {"obs": rng.normal(size=(9, 2)), "offsets": [0, 4, 9]}),
]

APPROXIMATE_MODE = (GaussianMixture, Autoregressive)  # as their docstrings say
DISTRIBUTIONS = [
    Categorical(1),
    Categorical(2),
    Categorical(5),
    Bernoulli(1),
    Bernoulli(3),
    DiagonalGaussian(1),
    DiagonalGaussian(2),
    DiagonalGaussian(4),
    FullGaussian(1),
    FullGaussian(2),
    FullGaussian(3),
    GaussianMixture(1, 3),
    GaussianMixture(2, 2),
    Autoregressive((3, 2)),
    Autoregressive((2, 3, 2)),
    Product((Categorical(2), Categorical(3))),
    Product((Categorical(3), DiagonalGaussian(1))),
    Product((Bernoulli(2), Product((Categorical(2), FullGaussian(1))))),
    Deterministic(2),
]

OBS, ONE, TWO = Box(-1.0, 1.0, (3,)), Box(-1.0, 1.0, (1,)), Box(-2.0, [2.0, 3.0], (2,))
MIXED_OBS = Dict({"door": Discrete(2, start=1), "bits": MultiBinary(2), "place": Box(-np.inf, np.inf, (2,))})
POLICIES = {
    "softmax": make_policy((OBS, Discrete(3, start=2))),
    "mlp": make_policy((MIXED_OBS, Discrete(3)), "mlp", hidden=(4,)),
    "two hidden layers": make_policy((OBS, Discrete(2)), "mlp"),
    "masked": make_policy((OBS, Discrete(4)), masked=True),
    "normalised": make_policy((OBS, Discrete(2))).with_normaliser(Normaliser(np.ones(3), np.full(3, 2.0))),
    "shared σ": make_policy((OBS, TWO), "mlp", hidden=(4,)),
    "fixed σ": make_policy((OBS, ONE), std="fixed"),
    "σ of the state": make_policy((OBS, ONE), "mlp", hidden=(4,), std="state"),
    "full covariance": make_policy((OBS, TWO), std="full"),
    "tanh": make_policy((OBS, TWO), action_map="tanh"),
    "rescaled": make_policy((OBS, ONE), action_map="rescale"),
    "multi-discrete": make_policy((OBS, MultiDiscrete((2, 3)))),
    "multi-binary": make_policy((Discrete(3), MultiBinary(2))),
    "recurrent": make_policy((OBS, Discrete(2)), "recurrent", hidden=(4,)),
    "recurrent Gaussian": make_policy((OBS, ONE), "recurrent", hidden=(3,)),
    "window": make_policy((OBS, Discrete(2)), "mlp", hidden=(4,), window=3),
    "preferences": ComposedPolicy(ActionPreferences(SA, 3), Categorical(3), Box(-1.0, 1.0, (2,)), Discrete(3)),
    "mixture": ComposedPolicy(Linear(3, 6), GaussianMixture(1, 2), OBS, Box(-np.inf, np.inf, (1,))),
    "autoregressive": ComposedPolicy(Linear(3, 8), Autoregressive((2, 2)), OBS, MultiDiscrete((2, 2))),
}  # fmt: skip


def label(case):
    part = case[0] if isinstance(case, tuple) else case
    return str(part).replace(" ", "")[:60] if not isinstance(part, dict) else None


@pytest.mark.parametrize(("function", "data"), FUNCTIONS, ids=label)
def test_functions(function, data):
    check_function(function, **data).raise_if_failed()


@pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=label)
def test_distributions(distribution):
    exact_mode = not isinstance(distribution, APPROXIMATE_MODE)
    check_distribution(distribution, exact_mode=exact_mode).raise_if_failed()


@pytest.mark.parametrize("name", POLICIES)
def test_policies(name):
    policy = POLICIES[name]
    exact_mode = not isinstance(policy.distribution, APPROXIMATE_MODE)
    check_policy(policy, exact_mode=exact_mode).raise_if_failed()


@pytest.mark.parametrize("env_id", ["CartPole-v1", "Pendulum-v1"])
def test_environments(env_id):
    with gymnasium.make(env_id) as original:
        check_environment(compiled_twin(env_id), original, n_steps=50).raise_if_failed()


def offered(module, *methods):
    """Classes of `module` with these methods that one can make."""
    classes = [getattr(module, name) for name in module.__all__]
    return {c for c in classes if inspect.isclass(c) and all(hasattr(c, m) for m in methods)} - {
        c for c in classes if inspect.isclass(c) and (inspect.isabstract(c) or getattr(c, "_is_protocol", False))
    }


def test_none_is_forgotten():
    assert offered(functions, "at", "advance") == {type(function) for function, _ in FUNCTIONS}
    assert offered(distributions, "check_actions", "draw") == {type(distribution) for distribution in DISTRIBUTIONS}
