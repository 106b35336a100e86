"""What a distribution over actions given y supplies, and the checks that all of them share."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..errors import InvalidInput, NotImplementedBy
from ..types import Array
from ..validation import require_finite, require_shape

__all__ = ["OPTIONAL", "Distribution", "provides", "require_method"]

OPTIONAL = ("log_prob", "score", "entropy", "entropy_grad", "kl", "kl_grad", "fisher")


class HasActions(Protocol):
    """What the checks of actions need to know."""

    @property
    def act_shape(self) -> tuple[int, ...]:
        """Shape of one action: () or (k,)."""

    @property
    def act_dtype(self) -> np.dtype[Any]:
        """int64 or float64."""


class Distribution(HasActions, Protocol):
    """A family of distributions over actions, p(a; y), with every row in y in closed form.

    An instance describes the family (how many actions, how many dimensions); the parameters y come row by row from a
    function f_θ(s). All methods are vectorised over T rows, T = 0 included; they keep float32, work on complex y (so
    that a complex step can check them) and change no argument.

    Beside `log_prob` and `score` a distribution may have, in closed form or exactly,

    - ``entropy(y)``: H = −E log p, (T,), and ``entropy_grad(y)``: ∂H/∂y, (T, n_y);
    - ``kl(y, y_other)``: KL(p_y ‖ p_other), (T,), and ``kl_grad(y, y_other)``: its gradients in y and in y_other;
    - ``fisher(y, v)``: M v, (T, n_y), with M = E[score scoreᵀ].

    A distribution that lacks one does not define it, or names it in its property ``absent`` (as the deterministic
    policy does `log_prob` and `score`); `provides` and `require_method` know both ways.
    """

    @property
    def n_y(self) -> int:
        """K, the number of parameters of a row."""

    @property
    def draws(self) -> tuple[str, ...]:
        """The kind of each noise number an action takes: "uniform", in the open (0, 1), or "normal"."""

    def log_prob(self, y: Array, act: Array) -> Array:
        """log p(a; y), (T,)."""

    def score(self, y: Array, act: Array) -> Array:
        """∂ log p/∂y, (T, n_y)."""

    def draw(self, y: Array, noise: Array) -> Array:
        """The action that `noise`, (T, len(draws)), leads to."""

    def mode(self, y: Array) -> Array:
        """The most likely action."""

    def check_actions(self, act: Array) -> None:
        """Raise `InvalidInput` or `NonFinite` if `act` holds no actions of this distribution."""


def provides(distribution: Distribution, name: str) -> bool:
    """Whether `distribution` has the row `name` (one of `OPTIONAL`).

    Examples
    --------
    >>> from npgrad.distributions import Categorical
    >>> provides(Categorical(2), "entropy"), provides(Categorical(2), "moment")
    (True, False)
    """
    return hasattr(distribution, name) and name not in getattr(distribution, "absent", ())


def require_method(distribution: Distribution, name: str) -> Callable[..., Any]:
    """The method `name` of `distribution`, or an error that says what is missing.

    Parameters
    ----------
    distribution : Distribution
        Any distribution.
    name : str
        The row that is needed, one of `OPTIONAL`.

    Returns
    -------
    callable
        The bound method.

    Raises
    ------
    NotImplementedBy
        If the distribution does not provide that row.

    Examples
    --------
    >>> from npgrad.distributions import Categorical
    >>> import numpy as np
    >>> require_method(Categorical(2), "entropy")(np.zeros((1, 2))).round(3)
    array([0.693])
    """
    if not provides(distribution, name):
        raise missing(distribution, name)
    method: Callable[..., Any] = getattr(distribution, name)
    return method


def missing(distribution: Distribution, name: str) -> NotImplementedBy:
    """The error for a row that `distribution` does not provide."""
    has = [row for row in OPTIONAL if provides(distribution, row)]
    return NotImplementedBy(
        f"{distribution} has no {name}, it provides {', '.join(has) if has else 'draw and mode alone'}; "
        f"choose a distribution with {name}, or an algorithm or setting that does without"
    )


@dataclass(frozen=True)
class RealActions:
    """Base of the distributions whose action is a row of k floats."""

    k: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "k", require_count("k", self.k))

    @property
    def act_shape(self) -> tuple[int, ...]:
        """An action is a row of k floats."""
        return (self.k,)

    @property
    def act_dtype(self) -> np.dtype[Any]:
        """float64."""
        return np.dtype(np.float64)

    def check_actions(self, act: Array) -> None:
        """Raise unless `act` is (T, k) finite real numbers."""
        check_shape(self, act)
        if act.dtype.kind not in "fiu":
            raise InvalidInput(f"act has dtype {act.dtype}, expected float64; try act.astype(np.float64)")
        require_finite("act", act)


def as_actions(a: Array) -> Array:
    """`a` as float64 (a complex y makes complex actions: a complex step through them sees ∂a/∂y)."""
    return a.astype(np.result_type(a, np.float64), copy=False)


def require_count(name: str, value: int, least: int = 1) -> int:
    """`value` as a plain int of at least `least`."""
    try:
        count = operator.index(value)
    except TypeError:
        raise InvalidInput(f"{name} is {value!r}, expected a whole number") from None
    if count < least:
        raise InvalidInput(f"{name} is {count}, expected at least {least}")
    return count


def require_rows(distribution: Distribution, y: Array, act: Array) -> None:
    """Raise unless `y` is (T, n_y) and `act` holds T actions: other shapes would broadcast without a word."""
    if y.ndim != 2 or y.shape[1] != distribution.n_y:
        raise InvalidInput(f"y has shape {y.shape}, expected (any, {distribution.n_y})")
    if act.shape != (len(y), *distribution.act_shape):
        require_shape("act", act, (len(y), *distribution.act_shape), _remedy(distribution, act))


def _remedy(distribution: HasActions, act: Array) -> str:
    discrete = "discrete actions are integers: " if distribution.act_dtype.kind == "i" else ""
    if distribution.act_shape == () and act.ndim == 2 and act.shape[1] == 1:
        return discrete + "try act[:, 0]"
    if distribution.act_shape == (1,) and act.ndim == 1:
        return "try act[:, None]"
    if act.shape == distribution.act_shape:
        return "one action is a batch of one: try act[None]"
    return ""


def check_shape(distribution: HasActions, act: Array) -> None:
    """Raise unless `act` is an array of actions, with any number T of rows."""
    if not isinstance(act, np.ndarray):
        raise InvalidInput(f"act is a {type(act).__name__}, expected an array; try np.asarray(act)")
    rows = act.shape[0] if act.ndim else None
    require_shape("act", act, (rows, *distribution.act_shape), _remedy(distribution, act))


def check_integers(distribution: HasActions, act: Array, n: int | tuple[int, ...]) -> None:
    """Raise unless `act` holds integers in 0 … n−1 (n for each column, if it is a tuple)."""
    check_shape(distribution, act)
    if act.dtype.kind not in "iu":
        raise InvalidInput(
            f"act has dtype {act.dtype}, expected int64; discrete actions are integers: try act.astype(np.int64)"
        )
    if act.dtype == np.int64 and isinstance(n, int) and act.size and act.view(np.uint64).max() < n:
        return  # in one pass: negative ones are huge without their sign
    outside = (act < 0) | (act >= np.asarray(n))
    if outside.any():
        where = tuple(int(i) for i in np.argwhere(outside)[0])
        largest = int(np.broadcast_to(n, act.shape)[where]) - 1
        raise InvalidInput(
            f"act[{', '.join(map(str, where))}] is {act[where]}, expected an integer from 0 to {largest} "
            f"({np.count_nonzero(outside)} of {act.size} values are outside); "
            "actions of a space that starts elsewhere need its start subtracted"
        )
