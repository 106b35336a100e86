"""Linear dynamics, quadratic costs and Gaussian linear policies: J and ∇J by matrix equations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import InvalidInput
from ..types import Array, FloatArray
from ..validation import require_finite, require_probability, require_shape

__all__ = ["LQR"]


@dataclass(frozen=True, eq=False)
class LQR:
    """x_{t+1} = A x_t + B a_t + w_t, a_t = −K x_t + σ e_t, r_t = −(x_tᵀQ x_t + a_tᵀR a_t), e ~ N(0, I) (P18).

    With a horizon J = E Σ_{t<T} γ^t r_t; without, the endless sum, which needs a K that makes √γ (A − BK) stable, and
    at γ = 1 no noise. `average_objective` and `average_gradient` are of the long run.

    Parameters
    ----------
    A, B : array, shape (n, n), (n, k)
        Dynamics.
    Q, R : array, shape (n, n), (k, k)
        Costs: symmetric, R positive definite.
    start : array, shape (n, n)
        Σ_0 = E x_0 x_0ᵀ; x_0 ~ N(0, Σ_0).
    W : array, shape (n, n), optional
        Covariance of w_t; 0 by default.
    horizon : int, optional
        T.
    gamma : float, optional
        γ.

    Raises
    ------
    InvalidInput
        If shapes disagree, a matrix is not symmetric, or a covariance has a negative eigenvalue.

    Notes
    -----
    Fazel, Ge, Kakade and Mesbahi 2018, for the cost C = −J.

    Examples
    --------
    >>> scalar = LQR(A=[[1.0]], B=[[1.0]], Q=[[1.0]], R=[[1.0]], start=[[1.0]])
    >>> K = scalar.optimal_gain()
    >>> K.round(6), round(float(scalar.objective(K)), 6)  # both the golden ratio, less and with one
    (array([[0.618034]]), -1.618034)
    >>> bool(np.abs(scalar.gradient(K)).max() < 1e-12)
    True
    """

    A: FloatArray
    B: FloatArray
    Q: FloatArray
    R: FloatArray
    start: FloatArray
    W: FloatArray = None  # type: ignore[assignment]
    horizon: int | None = None
    gamma: float = 1.0

    def __post_init__(self) -> None:
        A, B = np.array(self.A, dtype=np.float64), np.array(self.B, dtype=np.float64)
        if A.ndim != 2 or A.shape[0] != A.shape[1] or B.ndim != 2 or len(B) != len(A):
            raise InvalidInput(f"A has shape {A.shape} and B {B.shape}, expected (n, n) and (n, k)")
        n, k = B.shape
        symmetric = {"Q": (self.Q, n), "R": (self.R, k), "start": (self.start, n)}
        symmetric["W"] = (np.zeros((n, n)) if self.W is None else self.W, n)
        for name, (value, size) in symmetric.items():
            matrix = np.array(value, dtype=np.float64)
            require_shape(name, matrix, (size, size))
            require_finite(name, matrix)
            if not np.allclose(matrix, matrix.T, rtol=0, atol=1e-12 * np.abs(matrix).max(initial=1)):
                raise InvalidInput(
                    f"{name} is not symmetric; its symmetric part ({name} + {name}ᵀ)/2 gives the same costs"
                )
            lowest = np.linalg.eigvalsh(matrix)[0]
            if name != "Q" and (lowest < -1e-12 or (name == "R" and lowest <= 0)):
                kind = "positive definite" if name == "R" else "a covariance"
                raise InvalidInput(f"{name} has the eigenvalue {lowest:.3g}, expected {kind}")
            object.__setattr__(self, name, matrix)
        for name, matrix in (("A", A), ("B", B)):
            require_finite(name, matrix)
            object.__setattr__(self, name, matrix)
        require_probability("gamma", self.gamma)
        if self.horizon is not None and (int(self.horizon) != self.horizon or self.horizon < 1):
            raise InvalidInput(f"horizon is {self.horizon!r}, expected a number of steps of at least 1, or None")

    @property
    def n_states(self) -> int:
        """n."""
        return len(self.A)

    @property
    def n_actions(self) -> int:
        """k."""
        return int(self.B.shape[1])

    def objective(self, K: Array, *, sigma: float = 0.0) -> Any:
        """J = −Σ_t γ^t [tr((Q + KᵀRK) Σ_t) + σ² tr R], Σ_t = E x_t x_tᵀ; analytic in K.

        Parameters
        ----------
        K : array, shape (k, n) or (T, k, n)
            The gain, at all times or at each.
        sigma : float, optional
            σ.

        Raises
        ------
        InvalidInput
            If K has another shape, or the endless sum does not converge.
        """
        K = self._gain(K)
        S = self.covariances(K, sigma=sigma)
        costs = np.trace((self.Q + _t(K) @ self.R @ K) @ S, axis1=-2, axis2=-1)
        noise = sigma**2 * np.trace(self.R)
        if self.horizon is None:
            return -(costs + (noise / (1 - self.gamma) if noise else 0.0))
        discounts = self.gamma ** np.arange(self.horizon)
        return -(discounts @ (costs + noise))

    def gradient(self, K: Array, *, sigma: float = 0.0) -> Array:
        """∇_K J = −2 Σ_t γ^t E_t Σ_t, E_t = (R + γBᵀP_{t+1}B) K − γBᵀP_{t+1}A, of the shape of K.

        Parameters
        ----------
        K, sigma
            As for `objective`.
        """
        K = self._gain(K)
        S = self.covariances(K, sigma=sigma)
        P = self.cost_to_go(K)
        if self.horizon is None:
            return np.asarray(-2 * self._slope(K, P) @ S)
        discounts = self.gamma ** np.arange(self.horizon)[:, None, None]
        g = -2 * discounts * (self._slope(K, P[1:]) @ S)
        return np.asarray(g if K.ndim == 3 else g.sum(axis=0))

    def cost_to_go(self, K: Array) -> Array:
        """P_t = Q + KᵀRK + γ(A − BK)ᵀP_{t+1}(A − BK), P_T = 0, shape (T + 1, n, n); without a horizon its fixed point.

        V_t(x) = −(xᵀP_t x + what noise adds).
        """
        K = self._gain(K)
        if self.horizon is None:
            M = self._stable(K)
            return _fixed_point(M.T, self.Q + K.T @ self.R @ K, self.gamma)
        n = self.n_states
        P = np.zeros((self.horizon + 1, n, n), dtype=K.dtype)
        for t in reversed(range(self.horizon)):
            gain = K if K.ndim == 2 else K[t]
            M = self.A - self.B @ gain
            P[t] = self.Q + gain.T @ self.R @ gain + self.gamma * M.T @ P[t + 1] @ M
        return P

    def covariances(self, K: Array, *, sigma: float = 0.0) -> Array:
        """Σ_t = E x_t x_tᵀ for t = 0 … T − 1, shape (T, n, n); without a horizon Σ_K = Σ_t γ^t E x_t x_tᵀ, (n, n).

        Σ_{t+1} = (A − BK) Σ_t (A − BK)ᵀ + N,  N = W + σ²BBᵀ
        """
        K = self._gain(K)
        N = self.W + sigma**2 * self.B @ self.B.T
        if self.horizon is None:
            if self.gamma == 1 and N.any():
                raise InvalidInput("with noise and gamma = 1 the endless cost is infinite; see average_objective")
            later = N * self.gamma / (1 - self.gamma) if N.any() else N
            return _fixed_point(self._stable(K), self.start + later, self.gamma)
        S = np.zeros((self.horizon, *self.A.shape), dtype=K.dtype)
        S[0] = self.start
        for t in range(self.horizon - 1):
            M = self.A - self.B @ (K if K.ndim == 2 else K[t])
            S[t + 1] = M @ S[t] @ M.T + N
        return S

    def difference(self, new: Array, old: Array, *, sigma: float = 0.0) -> Any:
        """J(K′) − J(K), with D = K′ − K and Σ′ under K′, without the values of K′.

            −Σ_t γ^t tr[Σ′_t (2 Dᵀ E_t + Dᵀ (R + γBᵀP_{t+1}B) D)]

        Parameters
        ----------
        new, old : array
            K′ and K.
        sigma : float, optional
            σ of both.
        """
        new, old = self._gain(new), self._gain(old)
        P = self.cost_to_go(old)
        P = P if self.horizon is None else P[1:]
        D, S = new - old, self.covariances(new, sigma=sigma)
        H = self.R + self.gamma * self.B.T @ P @ self.B
        costs = np.trace(S @ _t(D) @ (2 * self._slope(old, P) + H @ D), axis1=-2, axis2=-1)
        return -costs if self.horizon is None else -(self.gamma ** np.arange(self.horizon) @ costs)

    def optimal_gain(self) -> FloatArray:
        """K* of least cost: (T, k, n) by Riccati's recursion with a horizon, (k, n) without.

            K_t = (R + γBᵀPB)⁻¹ γBᵀPA,  P = P_{t+1} the cost to go of what follows

        Raises
        ------
        InvalidInput
            If no gain is found that makes √γ (A − BK) stable.
        """
        if self.horizon is None:
            return self._endless_gain()
        P, gains = np.zeros_like(self.A), []
        for _ in range(self.horizon):
            gains.append(self._greedy(P))
            M = self.A - self.B @ gains[-1]
            P = self.Q + gains[-1].T @ self.R @ gains[-1] + self.gamma * M.T @ P @ M
        return np.array(gains[::-1])

    def domination(self, K: Array, *, sigma: float = 0.0) -> tuple[float, float]:
        """The gap J(K*) − J(K), and its bound by the gradient: no stationary point but the best (endless sums only).

            J(K*) − J(K) ≤ ‖Σ_{K*}‖ ‖∇J(K)‖_F² / (4 λ_min(Σ_0)² λ_min(R))

        Raises
        ------
        InvalidInput
            If there is a horizon, or Σ_0 is singular.
        """
        lowest = float(np.linalg.eigvalsh(self.start)[0])
        if self.horizon is not None or lowest <= 0:
            raise InvalidInput("the bound is for endless sums and a start covariance of full rank")
        best = self.optimal_gain()
        reach = np.linalg.norm(self.covariances(best, sigma=sigma), 2)
        slope = np.linalg.norm(self.gradient(K, sigma=sigma)) ** 2
        bound = reach * slope / (4 * lowest**2 * np.linalg.eigvalsh(self.R)[0])
        return float(self.objective(best, sigma=sigma) - self.objective(K, sigma=sigma)), float(bound)

    def average_objective(self, K: Array, *, sigma: float = 0.0) -> Any:
        """J_avg = −tr((Q + KᵀRK) Σ) − σ² tr R with the stationary Σ = (A − BK) Σ (A − BK)ᵀ + N."""
        return -np.trace((self.Q + K.T @ self.R @ K) @ self._stationary(K, sigma)) - sigma**2 * np.trace(self.R)

    def average_gradient(self, K: Array, *, sigma: float = 0.0) -> Array:
        """∇_K J_avg = −2 E_K Σ, E_K with γ = 1, shape (k, n)."""
        P = _fixed_point((self.A - self.B @ K).T, self.Q + K.T @ self.R @ K, 1.0)
        E = (self.R + self.B.T @ P @ self.B) @ K - self.B.T @ P @ self.A
        return np.asarray(-2 * E @ self._stationary(K, sigma))

    def _stationary(self, K: Array, sigma: float) -> Array:
        M = self.A - self.B @ K
        _require_stable(M)
        return _fixed_point(M, self.W + sigma**2 * self.B @ self.B.T, 1.0)

    def _slope(self, K: Array, P: Array) -> Array:
        """E = (R + γBᵀPB) K − γBᵀPA for P of what follows."""
        BP = self.gamma * self.B.T @ P
        return np.asarray((self.R + BP @ self.B) @ K - BP @ self.A)

    def _greedy(self, P: Array) -> Array:
        BP = self.gamma * self.B.T @ P
        return np.asarray(np.linalg.solve(self.R + BP @ self.B, BP @ self.A))

    def _endless_gain(self, *, iterations: int = 100_000) -> FloatArray:
        """Riccati's recursion until its gain is stable, then Newton's steps: K greedy for the last K (Hewer 1971)."""
        P, K = self.Q, self._greedy(self.Q)
        for _ in range(iterations):
            if _radius(np.sqrt(self.gamma) * (self.A - self.B @ K)) < 1:
                break
            M = self.A - self.B @ K
            P = self.Q + K.T @ self.R @ K + self.gamma * M.T @ P @ M
            K = self._greedy(P)
        change = np.inf
        for _ in range(100):
            before, K = K, self._greedy(self.cost_to_go(K))
            last, change = change, np.abs(K - before).max()
            if change == 0 or (change < 1e-8 and change >= last):  # rounding is all that is left
                break
        return K

    def _gain(self, K: Array) -> Array:
        K = np.asarray(K)
        k, n = self.n_actions, self.n_states
        shapes = [(k, n)] + ([(self.horizon, k, n)] if self.horizon is not None else [])
        if K.shape not in shapes:
            raise InvalidInput(f"K has shape {K.shape}, expected {' or '.join(map(str, shapes))}")
        return K.astype(np.result_type(K, np.float64))

    def _stable(self, K: Array) -> Array:
        M = self.A - self.B @ K
        _require_stable(np.sqrt(self.gamma) * M)
        return np.asarray(M)


def _t(K: Array) -> Array:
    return K.swapaxes(-1, -2)


def _radius(M: Array) -> float:
    return float(np.abs(np.linalg.eigvals(M)).max())


def _require_stable(M: Array) -> None:
    if not _radius(M) < 1:
        raise InvalidInput(f"√γ (A − BK) has spectral radius {_radius(M):.4g}, expected below 1: the sum diverges")


def _fixed_point(M: Array, C: Array, factor: float) -> Array:
    """X = C + factor · M X Mᵀ, by (I − factor · M⊗M) vec X = vec C."""
    n = len(M)
    return np.linalg.solve(np.eye(n * n) - factor * np.kron(M, M), C.ravel()).reshape(n, n)
