"""The check of a policy π_θ(a|o)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import spaces
from ..errors import NotImplementedBy
from ..types import Array
from .acting import Acting
from .contract import check_contract, check_float32
from .derivatives import BY_DIFFERENCES, choose
from .diagnosis import Suspect
from .policy_information import check_entropy, check_expectations, check_fisher, check_kl
from .products import IDENTITY, check_products
from .report import Recorder, Report

__all__ = ["check_policy"]


def check_policy(
    policy: Any,
    *,
    seed: int = 0,
    theta: npt.ArrayLike | None = None,
    obs: npt.ArrayLike | None = None,
    offsets: npt.ArrayLike | None = None,
    exact_mode: bool = True,
) -> Report:
    """Check a policy: acting against batches, scores, entropy, KL, Fisher, masks, the action map.

    Parameters
    ----------
    policy : Policy
        As in docs/architecture.md. What its linearisation lacks (entropy, kl_to, fisher_vp, …) is skipped.
    seed : int, optional
        Of all that is drawn.
    theta : array, shape (P,), optional
        Where to check; by default near what ``init`` draws.
    obs : array, shape (T, d), optional
        Flattened observations, with their mask if the policy takes one; drawn from its observation space by default.
    offsets : int array, shape (N + 1,), optional
        Borders of episodes; needed only with `obs`, and then one episode by default.
    exact_mode : bool, optional
        Whether the action without noise must be the likeliest, and not an approximation.

    Returns
    -------
    Report
        Print it, or call its ``raise_if_failed``.

    Notes
    -----
    S1 to S13, L4 of the catalogue.

    Examples
    --------
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Box, Discrete
    >>> check_policy(make_policy((Box(-1.0, 1.0, (3,)), Discrete(2)))).passed
    True
    """
    rng = np.random.default_rng(seed)
    record = Recorder(f"check_policy of {policy}, seed {seed}")
    acting = record.make("init and act raise nothing", lambda: Acting(policy, rng, theta, obs, offsets))
    if acting is not None and record.none(
        "init, act and at give arrays of the right shapes", lambda: _shape_violations(acting)
    ):
        _check_all(record, acting, rng, exact_mode)
    if acting is not None and not policy.draws:
        record.attempt("the deterministic action can be checked", lambda: _check_action_vjp(record, acting))
    return record.report()


def _shape_violations(a: Acting) -> Iterator[str]:
    T = len(a.obs)
    if a.theta.shape != (a.policy.n_params,):
        yield f"theta has shape {a.theta.shape}, expected ({a.policy.n_params},)"
    act, logp, memory = a.policy.act(a.theta, a.obs, a.noise, np.zeros((T, a.policy.n_memory)))
    if len(act) != T or logp.shape != (T,) or memory.shape != (T, a.policy.n_memory):
        yield f"act gives shapes {act.shape}, {logp.shape}, {memory.shape} for {T} observations"
    if a.at(a.theta).log_prob.shape != (T,):
        yield f"log_prob has shape {a.at(a.theta).log_prob.shape}, expected ({T},)"


def _check_all(record: Recorder, a: Acting, rng: np.random.Generator, exact_mode: bool) -> None:
    def attempt(what: str, check: Callable[[Recorder, Acting], None]) -> None:
        record.attempt(f"{what} can be checked", lambda: check(record, a))

    attempt("the contract", _check_contract)
    record.equal(
        "act, step by step from memory 0 at each offset: its logp = the log_prob of at",
        lambda: a.at(a.theta).log_prob,
        lambda: a.stepped()[1],
        IDENTITY,
        _suspects_of_stepping(a),
        rows=True,
    )
    attempt("masks", _check_mask)
    attempt("products", lambda record, a: check_products(record, a.log_pi, a.theta, a.offsets, rng))
    attempt("the shortcuts", _check_shortcuts)
    attempt("the sums over actions", check_expectations)
    for name, check in (("entropy", check_entropy), ("kl_to", check_kl), ("fisher_vp", check_fisher)):
        if _provides(a, name):
            attempt(name, check)
        else:
            record.skip(f"{name}: not provided")
    if exact_mode:
        attempt("the mode", _check_mode)
    else:
        record.skip("the action without noise: approximate, so it was told")
    attempt("the action map", _check_action_map)
    attempt("float32", _check_float32)


def _provides(a: Acting, name: str) -> bool:
    """Whether the policy's linearisation has the method, and the distribution behind it too."""
    lin = a.at(a.theta)
    arguments = {"entropy": (), "kl_to": (lin,), "fisher_vp": (a.v, a.w)}[name]
    if not hasattr(lin, name):
        return False
    try:
        getattr(lin, name)(*arguments)
    except NotImplementedBy:
        return False
    except Exception:  # there, but wrong
        return True
    return True


def _suspects_of_stepping(a: Acting) -> Iterator[Suspect]:
    got, T = a.at(a.theta).log_prob, len(a.obs)

    def log_prob(act: Array, offsets: Array) -> Array:
        return np.asarray(a.policy.at(a.theta, a.obs, act, offsets).log_prob)

    def right_with(act: Array, offsets: Array) -> Array:
        """What at gives, if it would be right for other actions or offsets."""
        right = np.allclose(log_prob(act, offsets), a.stepped()[1], IDENTITY, IDENTITY)
        return got if right else np.full_like(got, np.nan)

    if a.policy.n_memory:
        yield "the offsets are ignored: at keeps its memory across episodes", partial(log_prob, a.act, np.array([0, T]))
        yield "the offsets are ignored: at clears its memory at every row", partial(log_prob, a.act, np.arange(T + 1))
        for shift, name in ((-1, "late"), (1, "early")):
            moved = np.array([0, *(a.offsets[1:-1] + shift), T])
            which = f"the offsets are off by one: at clears its memory a row too {name}"
            yield which, partial(right_with, a.act, moved)
    for shift, name in ((1, "before"), (-1, "after")):
        rolled = np.roll(a.act, -shift, axis=0)
        yield f"wrong row: at takes the action of the row {name}", partial(right_with, rolled, a.offsets)
    if a.act.dtype.kind == "i":
        n = a.draws.max() + 1
        for shift in (1, -1):
            other = (a.act - shift) % n
            yield f"the action's index is shifted by {shift:+d}", partial(right_with, other, a.offsets)


def _check_contract(record: Recorder, a: Acting) -> None:
    calls, inputs = _calls(a, np.float64)
    check_contract(record, calls, inputs)


def _check_float32(record: Recorder, a: Acting) -> None:
    check_float32(record, _calls(a, np.float64)[0], _calls(a, np.float32)[0])


def _calls(a: Acting, dtype: type[np.floating[Any]]) -> tuple[dict[str, Any], dict[str, Array]]:
    """Every call, and the arrays it is given."""
    theta, v = a.theta.astype(dtype), a.v
    memory = np.zeros((len(a.obs), a.policy.n_memory), dtype)
    act, w = a.act, a.w

    def lin() -> Any:
        return a.policy.at(theta, a.obs, act, a.offsets)

    calls = {
        "at(…).log_prob": lambda: lin().log_prob,
        "vjp": lambda: lin().vjp(w),
        "jvp": lambda: lin().jvp(v),
        "vjp_rows": lambda: lin().vjp_rows(w),
        "vjp_segments": lambda: lin().vjp_segments(w, a.offsets),
    }
    inputs = {"theta": theta, "obs": a.obs, "act": act, "offsets": a.offsets, "psi": w, "v": v}
    if dtype is np.float64:
        inputs |= {"noise": a.noise, "memory": memory}
        calls["act"] = lambda: a.policy.act(theta, a.obs, a.noise, memory)[:2]  # memory may be passed on as it is
        calls["act without noise"] = lambda: a.policy.act(theta, a.obs, None, memory)[:2]
    return calls, inputs


def _check_mask(record: Recorder, a: Acting) -> None:
    """A masked action is never taken, and has no probability."""
    mask = a.mask
    if mask is None:
        return
    T, n = mask.shape
    rows = np.arange(T)[:, None]

    def taken() -> Iterator[str]:
        for what, act in (("with noise", a.draws), ("without noise", a.stepped(greedy=True)[0][:, None])):
            if not mask[rows, act].all():
                yield f"the mask is ignored in act, {what}: {np.count_nonzero(~mask[rows, act])} masked actions taken"

    every = np.broadcast_to(np.arange(n), (T, n)).astype(a.act.dtype)

    def likely() -> Iterator[str]:
        p = np.exp(a.over_actions(every, lambda lin: lin.log_prob))
        if p[~mask].max(initial=0) > 0:
            yield f"the mask is ignored in at: a masked action has probability {p[~mask].max():.3g}"

    record.none("act takes no masked action", taken)
    record.none("at gives every masked action probability 0", likely)


def _check_shortcuts(record: Recorder, a: Acting) -> None:
    """What can be called on the policy itself."""
    policy, lin = a.policy, a.at(a.theta)
    arguments = a.theta, a.obs, a.act, a.offsets
    if hasattr(policy, "score"):
        record.equal(
            "score(…) = the rows of vjp_rows(1)",
            lambda: policy.score(*arguments),
            lambda: lin.vjp_rows(np.ones(len(a.obs))),
            IDENTITY,
        )
    if hasattr(policy, "log_prob"):

        def added() -> Array:
            return np.asarray(lin.log_prob + policy.action_map.log_derivative(a.act))

        record.equal(
            "log_prob(…) = log π − log |det ∂map/∂u|",
            lambda: policy.log_prob(*arguments),
            lambda: lin.log_prob - policy.action_map.log_derivative(a.act),
            IDENTITY,
            [("the action map's log |det| is added instead of subtracted", added)],
            rows=True,
        )


def _check_action_vjp(record: Recorder, a: Acting) -> None:
    """Of a policy whose action is a function of θ alone (S6)."""
    w = np.cos(np.arange(a.act.size)).reshape(a.act.shape)

    def action(theta: Array) -> Array:
        return a.stepped(greedy=True, theta=theta)[0]

    method = choose(action, a.theta)
    record.equal(
        f"action_vjp(w) = Σ_t (∂a_t/∂θ)ᵀ w_t, by {method.name}",
        lambda: a.at(a.theta).action_vjp(w)[a.coordinates],
        lambda: np.tensordot(w, method.jacobian(action, a.theta, a.coordinates), axes=w.ndim),
        method.tolerance,
    )


def _check_mode(record: Recorder, a: Acting) -> None:
    e = a.expectation

    def excess() -> float:
        most = a.stepped(greedy=True)[1]
        log_p = np.concatenate([a.over_actions(act, lambda lin: lin.log_prob) for act in (e.act, a.draws)], axis=1)
        return max(0.0, float((log_p - most[:, None]).max()))

    record.value(
        "act without noise takes the likeliest action",
        excess,
        1e-9,
        "there are likelier actions; pass exact_mode=False if it is an approximation",
    )


def _check_action_map(record: Recorder, a: Acting) -> None:
    """The environment's action, and the derivative of the map wherever it is not flat."""
    mapped, space = a.policy.action_map, a.policy.action_space

    def outside() -> Iterator[str]:
        flat = a.draws[:, :50].reshape(-1, *a.draws.shape[2:])
        for act in spaces.as_actions(space, mapped(flat)):
            if not spaces.contains(space, act):
                yield f"the environment would get {act}, which is not in {space}"
                return

    record.none("action_map gives actions of the action space", outside)
    if a.act.dtype.kind != "f":
        return
    u = a.act.reshape(len(a.act), -1)
    slope = BY_DIFFERENCES.jacobian_of_rows(mapped, u)
    determinant = np.abs(np.linalg.det(slope))
    inside = determinant > 1e-9
    record.equal(
        "action_map.log_derivative(u) = log |det ∂map/∂u|, where the map is not flat",
        lambda: mapped.log_derivative(u)[inside],
        lambda: np.log(determinant[inside]),
        1e-7,
        rows=True,
    )
