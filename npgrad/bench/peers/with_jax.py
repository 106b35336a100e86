"""Gradients, scores, Fisher products, returns and actions in JAX, compiled."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from problems import digest, gradient_problem, returns_problem, weights_of

jax.config.update("jax_enable_x64", True)
HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
Case = tuple[Callable[[], object], list[float] | None]


def about() -> str:
    return f"jax {jax.__version__}"


def forward(parameters: Any, x: Any) -> Any:
    layers = len(parameters) // 2
    for i in range(layers):
        x = x @ parameters[2 * i] + parameters[2 * i + 1]
        x = jnp.tanh(x) if i < layers - 1 else x
    return x


def log_prob(parameters: Any, obs: Any, act: Any, softmax: bool) -> Any:
    y = forward(parameters, obs)
    if softmax:
        return jnp.take_along_axis(jax.nn.log_softmax(y, -1), act[..., None], -1)[..., 0]
    log_std = parameters[-1]
    return (-0.5 * ((act - y) * jnp.exp(-log_std)) ** 2 - log_std - HALF_LOG_2PI).sum(-1)


def compiled(function: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    fast = jax.jit(function)
    return lambda: jax.block_until_ready(fast(*args))


def flat(tree: Any) -> Any:
    return np.concatenate([np.asarray(leaf).ravel() for leaf in tree])


def gradient(**problem: Any) -> Case:
    p = gradient_problem(**problem)
    obs, act, psi, parameters = jax.tree.map(jnp.asarray, (p["obs"], p["act"], p["psi"], p["parameters"]))

    def surrogate(w: Any, x: Any, a: Any, psi: Any) -> Any:
        return (psi * log_prob(w, x, a, p["softmax"])).sum()

    run = compiled(jax.value_and_grad(surrogate), parameters, obs, act, psi)
    return run, digest(flat(run()[1]))


def scores(**problem: Any) -> Case:
    p = gradient_problem(**problem)
    obs, act, parameters = jax.tree.map(jnp.asarray, (p["obs"], p["act"], p["parameters"]))

    def matrix(w: Any, x: Any, a: Any) -> Any:
        each = jax.vmap(jax.grad(lambda w, x, a: log_prob(w, x, a, p["softmax"])), (None, 0, 0))(w, x, a)
        return jnp.concatenate([g.reshape(len(x), -1) for g in each], 1)

    run = compiled(matrix, parameters, obs, act)
    return run, digest(np.asarray(run()[:64]))


def fisher(**problem: Any) -> Case:
    """JᵀM J v with one forward pass for both products."""
    p = gradient_problem(**problem)
    obs, parameters = jax.tree.map(jnp.asarray, (p["obs"], p["parameters"]))
    v = [jnp.cos(jnp.arange(w.size, dtype=w.dtype)).reshape(w.shape) for w in parameters]

    def product(w: Any, v: Any, x: Any) -> Any:
        _, back = jax.vjp(lambda w: forward(w, x), w)
        jv = jax.jvp(lambda w: forward(w, x), (w,), (v,))[1]
        (g,) = back(jv * jnp.exp(-2 * w[-1]) / len(x))
        return [*g[:-1], 2 * v[-1]]

    run = compiled(product, parameters, v, obs)
    return run, digest(flat(run()))


def returns(what: str, episodes: int, mean_length: int) -> Case:
    """One scan over all steps that begins anew at the end of each episode."""
    p = returns_problem(episodes, mean_length)
    last = np.zeros(len(p["rew"]), bool)
    last[p["offsets"][1:] - 1] = True

    def gae(rew: Any, values: Any, last: Any) -> Any:
        def step(carry: Any, row: Any) -> Any:
            adv, v_next = carry
            r, v, end = row
            adv = jnp.where(end, r - v, r + 0.99 * v_next - v + 0.99 * 0.95 * adv)
            return (adv, v), adv

        return jax.lax.scan(step, (0.0, 0.0), (rew, values, last), reverse=True)[1]

    def reward_to_go(rew: Any, values: Any, last: Any) -> Any:
        def step(g: Any, row: Any) -> Any:
            r, end = row
            g = jnp.where(end, r, r + 0.99 * g)
            return g, g

        return jax.lax.scan(step, 0.0, (rew, last), reverse=True)[1]

    function = {"gae": gae, "reward_to_go": reward_to_go}[what]
    run = compiled(function, *map(jnp.asarray, (p["rew"], p["values"], last)))
    return run, digest(run())


def act(d: int, k: int, hidden: list[int]) -> Case:
    """From an array to the likeliest action."""
    w = [jnp.asarray(each) for each in weights_of(np.random.default_rng(0), [d, *hidden, k], "float32")]
    obs = np.linspace(-1, 1, d, dtype=np.float32)
    fast = jax.jit(lambda w, x: forward(w, x).argmax())
    return lambda: int(fast(w, obs)), None


CASES: dict[str, Callable[..., Case]] = {
    "gradient": gradient,
    "scores": scores,
    "fisher": fisher,
    "returns": returns,
    "act": act,
}
