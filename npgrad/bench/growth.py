"""How cost grows: with steps, parameters, episodes and threads; each point is a candidate of one row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..estimators import PolicyGradient
from ..policies import make_policy
from ..pool import single_blas_thread, thread_pool, usable_cores
from ..rollouts import make_rollout
from .collecting import episodes
from .gradients import problem, surrogate_gradient
from .limits import Limits
from .peer import Peers
from .rows import Measured, Ours, Row
from .timing import Candidate

__all__ = ["Growth", "growth_rows", "slope"]

INPUTS, OUTPUTS = 17, 6
ROUNDS, BUDGET = 7, 20.0
POWERS = [4**i for i in range(10)]
BYTES_A_STEP = 8 * (4 + 1 + 1 + 1)  # o, a, r, log π of CartPole


@dataclass(frozen=True)
class Growth(Row):
    """A row whose candidates are called by a number x.

    Parameters
    ----------
    x : str
        What that number counts.
    least : function
        ``(x, limits) → (seconds, why)``: a time that the machine cannot go below.
    """

    x: str = ""
    least: Callable[[float, Limits], tuple[float, str]] = lambda x, limits: (0.0, "")

    def summary(self, found: Measured) -> list[str]:
        """The exponents."""
        whole, upper = slope(found)
        return [f"time ~ {self.x}^{whole:.2f}, in the upper half ^{upper:.2f}"]


def slope(found: Measured) -> tuple[float, float]:
    """The exponent of time over x on the whole range, and on its upper half.

    Examples
    --------
    >>> slope(Measured("x", {"10": [1.0], "100": [10.0], "1000": [1000.0]}))
    (1.5, 2.0)
    """
    x, t = points(found)
    log_x, log_t = np.log(x), np.log(t)
    half = max(2, len(x) // 2 + len(x) % 2)
    fits = [np.polyfit(log_x[-n:], log_t[-n:], 1)[0] for n in (len(x), half)]
    return float(np.round(fits[0], 12)), float(np.round(fits[1], 12))


def points(found: Measured) -> tuple[np.ndarray, np.ndarray]:
    """x and the median seconds, in order."""
    pairs = sorted((float(name), found.median(name)) for name in found.seconds)
    return np.array([x for x, _ in pairs]), np.array([t for _, t in pairs])


def _steps(peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    executor = stack.enter_context(thread_pool(usable_cores()))
    made = [episodes("CartPole-v1", "linear", count, executor) for count in POWERS[2:8]]
    return {str(int(ours.units)): Ours(ours.function) for ours in made}


def _rows(peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    executor = stack.enter_context(thread_pool(usable_cores()))
    return {str(n): _gradient(n, [64, 64], executor) for n in POWERS[3:10]}


def _gradient(n: int, hidden: list[int], executor: object) -> Ours:
    given = problem(INPUTS, OUTPUTS, hidden, int(n), "float64")
    return Ours(surrogate_gradient(*given, executor))  # type: ignore[arg-type]


def _parameters(peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    executor = stack.enter_context(thread_pool(usable_cores()))
    widths = (4, 8, 16, 32, 64, 128, 256, 512)
    return {str(_count(width)): _gradient(8192, [width, width], executor) for width in widths}


def _count(width: int) -> int:
    """P of two hidden layers of that width."""
    return (INPUTS + 1) * width + (width + 1) * width + (width + 1) * OUTPUTS + OUTPUTS


def _episodes(counts: list[int], peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    executor = stack.enter_context(thread_pool(usable_cores()))
    rollout = make_rollout("CartPole-v1")
    policy = make_policy(rollout, "linear")
    theta = np.zeros(policy.n_params)
    estimator = PolicyGradient(gamma=0.99, executor=executor)

    def of(count: int) -> Ours:
        batch = rollout.episodes(policy, theta, seed=0, first=0, count=count, executor=executor)
        return Ours(lambda: estimator(policy, theta, batch))

    return {str(count): of(count) for count in counts}


def _threads(peers: Peers, stack: ExitStack) -> Mapping[str, Candidate | Ours]:
    stack.enter_context(single_blas_thread())
    numbers = range(1, 2 * usable_cores() + 1)
    return {str(n): _gradient(65536, [64, 64], stack.enter_context(thread_pool(n))) for n in numbers}


def _products(rows: float, parameters: float, limits: Limits) -> tuple[float, str]:
    """2 operations a weight and row forwards, and as many for each of two products backwards."""
    return limits.by_products(6 * rows * parameters, "float64")


def growth_rows() -> Iterator[Row]:
    """The rows of the group growth."""
    row = partial(Growth, rounds=ROUNDS, budget=BUDGET)
    yield row(
        "growth-rollout",
        "CartPole rollouts, linear softmax",
        _steps,
        x="steps",
        least=lambda x, limits: limits.by_memory(x * BYTES_A_STEP),
    )
    yield row(
        "growth-steps",
        f"gradient, MLP 64×64, {INPUTS} inputs, float64",
        _rows,
        x="steps",
        least=lambda x, limits: _products(x, _count(64), limits),
    )
    yield row(
        "growth-parameters",
        "gradient, two hidden layers of 4 to 512, float64, N = 8,192",
        _parameters,
        x="parameters",
        least=lambda x, limits: _products(8192, x, limits),
    )
    yield row(
        "growth-episodes",
        "REINFORCE's estimate in CartPole, linear, some 22 steps an episode",
        partial(_episodes, POWERS[1:9]),
        x="episodes",
        least=lambda x, limits: limits.by_memory(22 * x * BYTES_A_STEP),
    )
    yield row(
        "growth-threads",
        f"gradient, MLP 64×64, {INPUTS} inputs, float64, N = 65,536",
        _threads,
        x="threads",
        least=lambda x, limits: (
            _products(65536, _count(64), limits)[0] * usable_cores() / min(x, usable_cores()),
            "flops",
        ),
    )
