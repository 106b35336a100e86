"""A policy that acts, on NumPy alone."""

from typing import Any

import numpy as np


class Policy:
    """From flat observations to actions: y = f((obs − mean)/std), a distribution over latent actions, an action map.

    `shape` and `dtype` are those of one observation; `numbers` hold all parameters. Each of `parts` gives columns of
    y: a list of layers (n, m, place of W, place of b or None, activation), or a pair (place, n) of numbers. Each of
    `heads` is a pair (kind, n).
    """

    def __init__(
        self,
        numbers: Any,
        shape: tuple[int, ...],
        dtype: str,
        n_masked: int,
        normaliser: tuple[Any, Any, float] | None,
        parts: list[Any],
        heads: list[tuple[str, int]],
        action_map: tuple[Any, ...],
        action_shape: tuple[int, ...],
        action_dtype: str,
    ) -> None:
        self.numbers, self.shape, self.dtype, self.n_masked = numbers, shape, dtype, n_masked
        self.normaliser, self.parts, self.heads, self.action_map = normaliser, parts, heads, action_map
        self.action_shape, self.action_dtype = action_shape, action_dtype
        self.draws = tuple(
            "normal" if kind == "gaussian" else "uniform"
            for kind, n in heads
            for _ in range(1 if kind == "categorical" else n)
        )

    def act(self, obs: Any, noise: Any = None, on_nan: Any = None) -> Any:
        """The action for one observation, or the actions for a batch with an axis more.

        Without noise the most likely one; with it, numbers of the kinds that `draws` names (uniform on (0, 1) or
        standard normal), the one that it leads to. Where an observation is not finite, the action `on_nan`, or
        ValueError if there is none; ValueError if one is of another shape.
        """
        x, one = self._rows(obs)
        bad = ~np.isfinite(x)
        if on_nan is None:
            self._require_finite(x)
        x[bad] = 0
        rows = None if noise is None else np.asarray(noise, np.float64).reshape(len(x), len(self.draws))
        action = self.map(self.latent(x, rows)).astype(self.action_dtype).reshape(len(x), *self.action_shape)
        if on_nan is not None:
            action[bad.any(axis=1)] = on_nan
        if not one:
            return action
        return int(action[0]) if self.action_shape == () and action.dtype.kind in "iu" else action[0, ...]

    def log_prob(self, obs: Any, latent: Any) -> Any:
        """log π(latent | obs): a number, or one for each row of a batch."""
        x, one = self._rows(obs)
        self._require_finite(x)
        y, a = self._y(x), np.asarray(latent).reshape(len(x), -1)
        total, i, j = np.zeros(len(x)), 0, 0
        for kind, n in self.heads:
            k, columns = (2 * n, n) if kind == "gaussian" else (n, 1 if kind == "categorical" else n)
            total += LOG_PROB[kind](y[:, i : i + k], a[:, j : j + columns])
            i, j = i + k, j + columns
        return float(total[0]) if one else total

    def latent(self, x: Any, noise: Any = None) -> Any:
        """Latent actions, before the action map, for rows of flat observations."""
        y, columns, i, j = self._y(x), [], 0, 0
        for kind, n in self.heads:
            k, draws = (2 * n if kind == "gaussian" else n), (1 if kind == "categorical" else n)
            rows = y[:, i : i + k]
            columns.append(MODE[kind](rows) if noise is None else DRAW[kind](rows, noise[:, j : j + draws]))
            i, j = i + k, j + draws
        return np.concatenate(columns, axis=1)

    def map(self, latent: Any) -> Any:
        """From latent actions to what the environment gets."""
        kind, *bounds = self.action_map
        return MAP[kind](latent, *bounds)

    def _rows(self, obs: Any) -> tuple[Any, bool]:
        x = np.asarray(obs)
        one = x.ndim == len(self.shape)
        if x.shape[x.ndim - len(self.shape) :] != self.shape or x.ndim > len(self.shape) + 1:
            raise ValueError(f"obs has shape {x.shape}, expected {self.shape}, or an axis more for a batch")
        with np.errstate(all="ignore"):
            rows = x.astype(self.dtype)
        if rows.dtype.kind != "f" and not np.array_equal(rows, x):
            raise ValueError(f"obs has values that {self.dtype} does not hold")
        return rows.reshape(1 if one else len(x), int(np.prod(self.shape))), one

    def _require_finite(self, x: Any) -> None:
        if not np.isfinite(x).all():
            raise ValueError("obs has a NaN or an infinity")

    def _y(self, rows: Any) -> Any:
        n = rows.shape[1] - self.n_masked
        x, mask = rows[:, :n], rows[:, n:] != 0
        if self.normaliser is not None:
            mean, std, bound = self.normaliser
            x = np.clip((x - mean) / std, -bound, bound)
        x = x.astype(self.numbers.dtype)
        y = np.concatenate([self._part(part, x) for part in self.parts], axis=1)
        if not self.n_masked:
            return y
        if not mask.any(axis=1).all():
            raise ValueError("the mask allows no action")
        return np.where(mask, y, -np.inf)

    def _part(self, part: Any, x: Any) -> Any:
        if isinstance(part, tuple):
            place, n = part
            return np.tile(self.numbers[place : place + n], (len(x), 1))
        for n, m, weights, bias, activation in part:
            x = x @ self.numbers[weights : weights + n * m].reshape(n, m)
            if bias is not None:
                x = x + self.numbers[bias : bias + m]
            x = ACTIVATION[activation](x)
        return x


def shifted(y: Any) -> Any:
    """y − max y."""
    return y - y.max(axis=1, keepdims=True)


def softplus(x: Any) -> Any:
    """log(1 + e^x)."""
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def categorical_draw(y: Any, u: Any) -> Any:
    """The first action with p_0 + … + p_a > u."""
    total = np.exp(shifted(y)).cumsum(axis=1)
    return (total[:, :-1] <= u * total[:, -1:]).sum(axis=1, keepdims=True)


def categorical_log_prob(y: Any, a: Any) -> Any:
    """log p_a."""
    x = shifted(y)
    return x[np.arange(len(x)), a[:, 0].astype(np.int64)] - np.log(np.exp(x).sum(axis=1))


def gaussian_log_prob(y: Any, a: Any) -> Any:
    """Σ −z²/2 − log σ − log(2π)/2, z = (a − μ)/σ."""
    k = a.shape[1]
    z = (a - y[:, :k]) * np.exp(-y[:, k:])
    return -(0.5 * z * z + y[:, k:] + 0.5 * np.log(2 * np.pi)).sum(axis=1)


def clip(u: Any, low: Any, high: Any) -> Any:
    """u within its bounds."""
    return np.minimum(np.maximum(u, low), high)


ACTIVATION: dict[str, Any] = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0), "identity": lambda z: z}
MODE: dict[str, Any] = {
    "categorical": lambda y: y.argmax(axis=1)[:, None],
    "gaussian": lambda y: y[:, : y.shape[1] // 2].astype(np.float64),
    "bernoulli": lambda y: (y > 0).astype(np.int64),
}
DRAW: dict[str, Any] = {
    "categorical": categorical_draw,
    "gaussian": lambda y, eps: y[:, : eps.shape[1]] + np.exp(y[:, eps.shape[1] :]) * eps,
    "bernoulli": lambda y, u: (u < np.exp(-softplus(-y))).astype(np.int64),
}
LOG_PROB: dict[str, Any] = {
    "categorical": categorical_log_prob,
    "gaussian": gaussian_log_prob,
    "bernoulli": lambda y, a: -softplus(np.where(a == 1, -y, y)).sum(axis=1),
}
MAP: dict[str, Any] = {
    "identity": lambda u: u,
    "offset": lambda u, start: u + start,
    "clip": clip,
    "rescale": lambda u, low, high: clip(low + (u + 1) / 2 * (high - low), low, high),
    "tanh": lambda u, low, high: low + (np.tanh(u) + 1) / 2 * (high - low),
}
