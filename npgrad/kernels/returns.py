"""Returns of trajectories laid end to end, segment i in rows offsets[i] … offsets[i+1] − 1."""

from __future__ import annotations

from ..jit import kernel
from ..types import FloatArray, IntArray

__all__ = ["discounted_return", "entropy_return", "reward_to_go", "running_sum", "time_mean_of_others"]


@kernel("void(const(float64[::1]), const(int64[::1]), float64, float64[::1])")
def reward_to_go(rew: FloatArray, offsets: IntArray, gamma: float, out: FloatArray) -> None:
    """G_t = r_t + γ G_{t+1}, with G_T = 0 at the end of each segment (P3, P4)."""
    for i in range(offsets.shape[0] - 1):
        g = 0.0
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            g = rew[t] + gamma * g  # G_t = r_t + γ G_{t+1}
            out[t] = g


@kernel("void(const(float64[::1]), const(int64[::1]), float64, float64[::1])")
def discounted_return(rew: FloatArray, offsets: IntArray, gamma: float, out: FloatArray) -> None:
    """R = Σ_t γ^t r_t of each segment, written to all of its rows (P1)."""
    for i in range(offsets.shape[0] - 1):
        total = 0.0
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            total = rew[t] + gamma * total  # Horner's rule for Σ_t γ^t r_t
        for t in range(offsets[i], offsets[i + 1]):
            out[t] = total


@kernel("void(const(float64[::1]), const(float64[::1]), const(int64[::1]), float64, float64, float64[::1])")
def entropy_return(
    rew: FloatArray, entropy: FloatArray, offsets: IntArray, gamma: float, beta: float, out: FloatArray
) -> None:
    """G_t = r_t + γ (β H_{t+1} + G_{t+1}): later entropies count, that of t itself does not (P12)."""
    for i in range(offsets.shape[0] - 1):
        g, h = 0.0, 0.0
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            g = rew[t] + gamma * (beta * h + g)  # G_t = r_t + γ (β H_{t+1} + G_{t+1})
            out[t] = g
            h = entropy[t]


@kernel("void(const(float64[::1]), const(int64[::1]), float64[::1])")
def running_sum(x: FloatArray, offsets: IntArray, out: FloatArray) -> None:
    """C_t = C_{t−1} + x_t within each segment; of log ρ, the log of Π_{k≤t} ρ_k (W3)."""
    for i in range(offsets.shape[0] - 1):
        c = 0.0
        for t in range(offsets[i], offsets[i + 1]):
            c = c + x[t]  # C_t = C_{t−1} + x_t
            out[t] = c


@kernel("void(const(float64[::1]), const(int64[::1]), float64[::1], float64[::1])")
def time_mean_of_others(x: FloatArray, offsets: IntArray, sums: FloatArray, out: FloatArray) -> None:
    """b_{i,t} = 1/(N−1) Σ_{j≠i} x_{j,t}, where x_{j,t} = 0 once segment j has ended (B3).

    `sums`, as long as the longest segment and zero, is scratch: it receives Σ_j x_{j,t}.
    """
    n = offsets.shape[0] - 1
    for i in range(n):
        for t in range(offsets[i + 1] - offsets[i]):
            sums[t] += x[offsets[i] + t]
    for i in range(n):
        for t in range(offsets[i + 1] - offsets[i]):
            out[offsets[i] + t] = (sums[t] - x[offsets[i] + t]) / (n - 1)
