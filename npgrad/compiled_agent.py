"""An agent's actions by one compiled kernel: one to three microseconds a call.

The kernel is the same for all agents, so that it is compiled once; what an agent is comes to it as numbers:

    numbers = (θ, fixed values, mean, std, low, high, y_0)        as float64
    layout  = where these begin, the layers, the heads            as int64

and y_0 holds the columns of y that do not depend on the observation.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from . import jit
from .deploy import Agent
from .deploy.program import Chain, Program
from .elementary import exp, tanh
from .errors import InvalidInput
from .kernels.network import ACTIVATIONS, RELU, TANH
from .policies import Clip, Identity, Offset, Rescale
from .spaces import Box, Discrete
from .types import Array, FloatArray, IntArray

__all__ = ["compile_agent"]

Act = Callable[..., Any]

KINDS = {"categorical": 0, "gaussian": 1, "bernoulli": 2}
CATEGORICAL, GAUSSIAN = KINDS["categorical"], KINDS["gaussian"]
AS_IT_IS, CLIPPED, RESCALED, SQUASHED = range(4)  # action maps

# entries of layout before its layers and heads
D, K, ROUNDED, MEAN, STD, BOUND, Y_0, N_LAYERS, N_HEADS, WIDEST, MAP, LOW, HIGH, N_MASKED, HEADER = range(15)
LAYER, HEAD = 6, 5  # entries of each: (n, m, weights, bias, activation, first), (kind, n, y, act, noise)


def compile_agent(agent: Agent) -> Act:
    """An `act` of one to three microseconds: the actions of ``agent.act``, by a compiled kernel.

    It takes what ``agent.act`` takes, and leaves to it whatever is out of order: other types and shapes, numbers that
    are not finite. Arithmetic is in float64, whatever θ has; sums are taken in another order and tanh is another
    polynomial than NumPy's, so numbers agree to a few units in the last place, and choices wherever the two best
    logits differ by more. Threads may share it.

    Parameters
    ----------
    agent : Agent
        It acts on a Box by layers and softmaxes, Gaussians or coins, as `make_policy` gives them without a memory.

    Returns
    -------
    function
        ``act(obs, noise=None, mask=None)``, see `Agent.act`. Where kernels run as plain Python it is ``agent.act``.

    Raises
    ------
    InvalidInput
        If the policy has a part that is not among those; the message names it.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> policy = make_policy((Box(-1.0, 1.0, (2,)), Discrete(2)), "linear")
    >>> agent = Agent(policy, np.array([1.0, 0.0, 0.0, 1.0, 0.0, 0.0]))
    >>> act = compile_agent(agent)
    >>> act(np.array([0.1, 0.9], np.float32)), agent.act([0.1, 0.9])
    (1, 1)
    """
    policy = agent.policy
    space: Any = policy.observation_space
    try:
        program = Program.of(policy, agent.theta)
    except InvalidInput as error:
        raise InvalidInput(str(error).replace("exported", "compiled")) from error
    if not isinstance(space, Box) or np.dtype(space.dtype).kind != "f":
        raise InvalidInput(f"observations {space} cannot be compiled, only a Box of floats; act with agent.act")
    if not jit.enabled():
        return agent.act
    layout, numbers = _tables(program)
    if isinstance(policy.action_space, Discrete):
        return _choosing(agent, layout, numbers)
    return _writing(agent, program, layout, numbers)


def _choosing(agent: Agent, layout: IntArray, numbers: FloatArray) -> Act:
    """For one softmax, whose action is an integer."""
    run, run_noisy, general = choose.compile(), choose_with.compile(), agent.act
    action_map, n_masked = agent.policy.action_map, agent.policy.n_masked
    start = int(action_map(np.array(0)))
    all_allowed, no_noise = np.ones(n_masked, np.bool_), np.empty(0)
    space: Any = agent.policy.observation_space
    shape = space.shape
    flat = len(shape) == 1

    def act(obs: Any, noise: Any = None, mask: Any = None) -> int:
        try:
            x = obs if flat or obs.shape != shape else obs.ravel()
            if not (x.dtype.isnative and (noise is None or noise.dtype.isnative)):  # which numba may overlook
                a = -1
            elif noise is None and mask is None:
                a = run(x, layout, numbers)
            else:
                allowed = all_allowed if mask is None else mask
                a = run_noisy(x, no_noise if noise is None else noise, noise is not None, allowed, layout, numbers)
        except (TypeError, AttributeError):  # other types than those it is compiled for
            a = -1
        if a >= 0:
            return a + start
        action: int = general(obs, noise, mask)
        return action

    return act


def _writing(agent: Agent, program: Program, layout: IntArray, numbers: FloatArray) -> Act:
    """For actions that are arrays."""
    run, general = write.compile(), agent.act
    space: Any = agent.policy.action_space
    dtype, as_drawn = np.dtype(space.dtype), np.dtype(np.float64)
    same = dtype.kind == "f" and len(space.shape) == 1
    seen: Any = agent.policy.observation_space
    shape = seen.shape
    flat, n_act, offset = len(shape) == 1, program.n_act, None
    if isinstance(agent.policy.action_map, Offset):
        offset = np.asarray(agent.policy.action_map.start)
    no_noise = np.empty(0)
    out_dtype = dtype if same and dtype in (np.float32, np.float64) else as_drawn

    def act(obs: Any, noise: Any = None, mask: Any = None) -> Any:
        out = np.empty(n_act, out_dtype)
        try:
            x = obs if flat or obs.shape != shape else obs.ravel()
            native = x.dtype.isnative and (noise is None or noise.dtype.isnative)  # which numba may overlook
            done = (
                native
                and mask is None
                and run(x, no_noise if noise is None else noise, noise is not None, layout, numbers, out)
            )
        except (TypeError, AttributeError):  # other types than those it is compiled for
            done = False
        if not done:
            return general(obs, noise, mask)
        if out_dtype is dtype:
            return out
        return (out if offset is None else out + offset).astype(dtype).reshape(space.shape)

    return act


def _tables(program: Program) -> tuple[IntArray, FloatArray]:
    """layout and numbers of a program."""
    policy = program.policy
    space: Any = policy.observation_space
    pieces = [program.numbers.astype(np.float64)]

    def put(values: Any) -> int:
        """Where some more numbers begin."""
        at = sum(map(len, pieces))
        pieces.append(np.asarray(values, np.float64).ravel())
        return at

    y_0 = np.zeros(program.n_y)
    rows: list[list[int]] = []
    for part in program.parts:
        if not isinstance(part, Chain):
            y_0[part.first : part.last] = program.numbers[part.at : part.at + part.n]
            continue
        for layer in part.layers:
            first = part.first if layer is part.layers[-1] else -1
            bias = -1 if layer.bias is None else layer.bias
            rows.append([layer.n, layer.m, layer.weights, bias, ACTIVATIONS[layer.activation], first])
    heads = [[KINDS[head.kind], head.n, head.y, head.act, head.noise] for head in program.heads]

    header = np.zeros(HEADER, np.int64)
    header[[D, K, N_MASKED, N_LAYERS, N_HEADS]] = program.n_in, program.n_y, policy.n_masked, len(rows), len(heads)
    header[WIDEST] = max([program.n_in, *(row[1] for row in rows)])
    header[ROUNDED] = np.dtype(space.dtype) == np.float32
    header[MEAN] = -1
    if policy.normaliser is not None:
        mean, std = (np.broadcast_to(a, program.n_in) for a in (policy.normaliser.mean, policy.normaliser.std))
        header[[MEAN, STD, BOUND]] = put(mean), put(std), put([policy.normaliser.bound])
    header[Y_0] = put(y_0)
    action_map: Any = policy.action_map
    if not isinstance(action_map, Identity | Offset):
        kinds = {Clip: CLIPPED, Rescale: RESCALED}
        header[[MAP, LOW, HIGH]] = kinds.get(type(action_map), SQUASHED), put(action_map.low), put(action_map.high)
    layout = np.array([*header, *chain.from_iterable([*rows, *heads])], np.int64)
    return layout, np.concatenate(pieces)


def _signatures(result: str, *rest: str) -> tuple[str, ...]:
    """For observations in either precision."""
    return tuple(f"{result}(const({dtype}[::1]), {', '.join(rest)})" for dtype in ("float32", "float64"))


TABLES = ("const(int64[::1])", "const(float64[::1])")


@jit.kernel(*_signatures("int64", *TABLES))
def choose(obs: Array, layout: IntArray, numbers: FloatArray) -> int:
    """argmax_i y_i, the first of equals; −1 where the general path must look."""
    y = np.empty(layout[K])
    if not outputs(obs, layout, numbers, y):
        return -1
    return largest(y, 0, layout[K])


@jit.kernel(*_signatures("int64", "const(float64[::1])", "boolean", "const(boolean[::1])", *TABLES))
def choose_with(
    obs: Array, noise: FloatArray, noisy: bool, allowed: Array, layout: IntArray, numbers: FloatArray
) -> int:
    """The same with a mask, and drawn where there is noise."""
    y = np.empty(layout[K])
    n = layout[N_MASKED]
    if allowed.shape[0] != n or (noisy and noise.shape[0] != 1) or not outputs(obs, layout, numbers, y):
        return -1
    if n > 0:
        some = False
        for i in range(n):
            some = some or allowed[i]
            y[i] = y[i] if allowed[i] else -np.inf  # a masked logit is −∞
        if not some:
            return -1
    return drawn(y, 0, layout[K], noise[0]) if noisy else largest(y, 0, layout[K])


@jit.kernel(
    *_signatures("boolean", "const(float64[::1])", "boolean", *TABLES, "float32[::1]"),
    *_signatures("boolean", "const(float64[::1])", "boolean", *TABLES, "float64[::1]"),
)
def write(obs: Array, noise: FloatArray, noisy: bool, layout: IntArray, numbers: FloatArray, out: Array) -> bool:
    """The action of all heads, mapped; False where the general path must look."""
    y = np.empty(layout[K])
    if not outputs(obs, layout, numbers, y):
        return False
    first = HEADER + LAYER * layout[N_LAYERS]
    last = first + HEAD * (layout[N_HEADS] - 1)
    n_draws = layout[last + 4] + (1 if layout[last] == CATEGORICAL else layout[last + 1])
    if noisy and noise.shape[0] != n_draws:
        return False
    low, high = layout[LOW], layout[HIGH]
    for h in range(layout[N_HEADS]):
        at = first + HEAD * h
        kind, n, y_at, act_at, u_at = layout[at], layout[at + 1], layout[at + 2], layout[at + 3], layout[at + 4]
        if kind == CATEGORICAL:
            out[act_at] = drawn(y, y_at, n, noise[u_at]) if noisy else largest(y, y_at, n)
            continue
        for j in range(n):
            if kind == GAUSSIAN:
                a = y[y_at + j]
                if noisy:
                    a = a + exp(y[y_at + n + j]) * noise[u_at + j]  # μ + σ z
            elif noisy:
                e = exp(-abs(y[y_at + j]))
                p = 1.0 / (1.0 + e) if y[y_at + j] >= 0.0 else e / (1.0 + e)
                a = 1.0 if noise[u_at + j] < p else 0.0
            else:
                a = 1.0 if y[y_at + j] > 0.0 else 0.0
            if layout[MAP] != AS_IT_IS:
                a = mapped(a, layout[MAP], numbers[low + act_at + j], numbers[high + act_at + j])
            out[act_at + j] = a
    return True


@jit.device
def mapped(a: float, kind: int, low: float, high: float) -> Any:
    """What the environment gets."""
    if kind == CLIPPED:
        return min(max(a, low), high)
    if kind == RESCALED:
        return min(max(low + (a + 1.0) / 2.0 * (high - low), low), high)
    return low + (tanh(a) + 1.0) / 2.0 * (high - low)


@jit.device
def largest(y: FloatArray, at: int, n: int) -> int:
    """argmax of n entries, the first of equals."""
    best = 0
    for i in range(1, n):
        if y[at + i] > y[at + best]:
            best = i
    return best


@jit.device
def drawn(y: FloatArray, at: int, n: int, u: float) -> int:
    """The inverse distribution function at u: how many of Σ_{j≤i} p_j are at most u, but for the last."""
    top = y[at + largest(y, at, n)]
    total = 0.0
    for i in range(n):
        total += exp(y[at + i] - top)
    until, a = 0.0, 0
    for i in range(n - 1):
        until += exp(y[at + i] - top)
        a += 1 if until <= u * total else 0
    return a


@jit.device
def outputs(obs: Array, layout: IntArray, numbers: FloatArray, y: FloatArray) -> bool:
    """y of one observation, (K,); False if this has another length, or a number is not finite."""
    d, widest = layout[D], layout[WIDEST]
    if obs.shape[0] != d:
        return False
    start = np.empty(d)
    rounded, n_wrong = layout[ROUNDED] != 0, 0
    for i in range(d):
        v = np.float64(np.float32(obs[i])) if rounded else np.float64(obs[i])
        n_wrong += 0 if abs(v) < np.inf else 1
        start[i] = v
    if n_wrong > 0:
        return False
    if layout[MEAN] >= 0:
        bound = numbers[layout[BOUND]]
        for i in range(d):
            z = (start[i] - numbers[layout[MEAN] + i]) / numbers[layout[STD] + i]
            start[i] = min(max(z, -bound), bound)
    for k in range(layout[K]):
        y[k] = numbers[layout[Y_0] + k]
    one, other = np.empty(widest), np.empty(widest)
    x = start
    for layer in range(layout[N_LAYERS]):
        at = HEADER + LAYER * layer
        n, m, weights, bias = layout[at], layout[at + 1], layout[at + 2], layout[at + 3]
        activation, first = layout[at + 4], layout[at + 5]
        z = y[first : first + m] if first >= 0 else one[:m]
        for j in range(m):
            z[j] = numbers[bias + j] if bias >= 0 else 0.0
        accumulate(x, n, m, numbers[weights : weights + n * m], z)  # z = x W + b
        if activation == TANH:
            for j in range(m):
                z[j] = tanh(z[j])
        elif activation == RELU:
            for j in range(m):
                z[j] = max(z[j], 0.0)
        if first >= 0:
            x = start  # the next chain begins anew
        else:
            x = one
            one, other = other, one
    for k in range(layout[K]):
        n_wrong += 0 if abs(y[k]) < np.inf else 1
    return n_wrong == 0


@jit.device
def accumulate(x: FloatArray, n: int, m: int, W: FloatArray, z: FloatArray) -> None:
    """z += x W, four rows of W (n, m) at a time."""
    whole = n - n % 4
    for i in range(0, whole, 4):
        a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
        A, B, C, E = W[i * m :], W[(i + 1) * m :], W[(i + 2) * m :], W[(i + 3) * m :]
        for j in range(m):
            z[j] += (a * A[j] + b * B[j]) + (c * C[j] + d * E[j])
    for i in range(whole, n):
        a = x[i]
        A = W[i * m :]
        for j in range(m):
            z[j] += a * A[j]
