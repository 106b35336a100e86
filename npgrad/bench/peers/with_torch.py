"""Gradients, scores, Fisher products and actions in PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from problems import digest, gradient_problem, weights_of

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
Case = tuple[Callable[[], object], list[float] | None]


def about() -> str:
    return f"torch {torch.__version__}"


def on(threads: int, function: Callable[[], Any]) -> Callable[[], Any]:
    """`function` on that many threads."""

    def run() -> Any:
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return function()

    return run


def forward(parameters: Any, x: Any, softmax: bool) -> Any:
    layers = len(parameters) // 2
    for i in range(layers):
        x = x @ parameters[2 * i] + parameters[2 * i + 1]
        x = torch.tanh(x) if i < layers - 1 else x
    return x


def log_prob(parameters: Any, obs: Any, act: Any, softmax: bool) -> Any:
    y = forward(parameters, obs, softmax)
    if softmax:
        return torch.log_softmax(y, -1).gather(-1, act.unsqueeze(-1)).squeeze(-1)
    log_std = parameters[-1]
    return (-0.5 * ((act - y) * torch.exp(-log_std)) ** 2 - log_std - HALF_LOG_2PI).sum(-1)


def flat(tensors: Any) -> Any:
    return np.concatenate([t.detach().numpy().ravel() for t in tensors])


def gradient(threads: int, **problem: Any) -> Case:
    p = gradient_problem(**problem)
    obs, act, psi = map(torch.from_numpy, (p["obs"], p["act"], p["psi"]))
    parameters = [torch.from_numpy(each).requires_grad_() for each in p["parameters"]]
    run = on(
        threads,
        lambda: torch.autograd.grad((psi * log_prob(parameters, obs, act, p["softmax"])).sum(), parameters),
    )
    return run, digest(flat(run()))


def scores(threads: int, **problem: Any) -> Case:
    p = gradient_problem(**problem)
    obs, act = map(torch.from_numpy, (p["obs"], p["act"]))
    parameters = [torch.from_numpy(each) for each in p["parameters"]]
    each = torch.func.vmap(torch.func.grad(lambda w, x, a: log_prob(w, x, a, p["softmax"])), in_dims=(None, 0, 0))
    run = on(threads, lambda: torch.cat([g.reshape(len(obs), -1) for g in each(parameters, obs, act)], 1))
    return run, digest(run()[:64].numpy())


def fisher(threads: int, **problem: Any) -> Case:
    """The gradient of (∇ mean KL)ᵀv, its graph kept: what a conjugate gradient repeats."""
    p = gradient_problem(**problem)
    obs = torch.from_numpy(p["obs"])
    parameters = [torch.from_numpy(each).requires_grad_() for each in p["parameters"]]
    v = [torch.cos(torch.arange(w.numel(), dtype=w.dtype)).reshape(w.shape) for w in parameters]
    old, log_old = forward(parameters, obs, False).detach(), parameters[-1].detach().clone()
    mean, log_std = forward(parameters, obs, False), parameters[-1]
    apart = (torch.exp(2 * log_old) + (old - mean) ** 2) / (2 * torch.exp(2 * log_std))
    kl = (log_std - log_old + apart - 0.5).sum(-1).mean()
    g = torch.autograd.grad(kl, parameters, create_graph=True)
    run = on(
        threads,
        lambda: torch.autograd.grad(
            sum((a * b).sum() for a, b in zip(g, v, strict=True)), parameters, retain_graph=True
        ),
    )
    return run, digest(flat(run()))


def act(d: int, k: int, hidden: list[int]) -> Case:
    """From an array to the likeliest action, the module as a user writes it."""
    arrays = weights_of(np.random.default_rng(0), [d, *hidden, k], "float32")
    layers: list[Any] = []
    for weight, bias in zip(arrays[::2], arrays[1::2], strict=True):
        layer = torch.nn.Linear(*weight.shape)
        layer.weight.data, layer.bias.data = torch.from_numpy(weight.T.copy()), torch.from_numpy(bias)
        layers += [layer, torch.nn.Tanh()]
    model = torch.nn.Sequential(*layers[:-1])
    obs = np.linspace(-1, 1, d, dtype=np.float32)

    def run() -> Any:
        with torch.inference_mode():
            return model(torch.from_numpy(obs)).argmax().item()

    return on(1, run), None


CASES: dict[str, Callable[..., Case]] = {"gradient": gradient, "scores": scores, "fisher": fisher, "act": act}
