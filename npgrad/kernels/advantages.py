"""Returns and advantages that look at a critic: TD residuals, n-step, λ-returns, GAE, V-trace.

Segment i is rows offsets[i] … offsets[i+1] − 1, values[t] = V(s_t), and bootstrap[i] stands for V(s_T) of segment i:
zero where the episode terminated, V(final_obs) where it was truncated or cut.
"""

from __future__ import annotations

from ..jit import kernel
from ..types import FloatArray, IntArray

__all__ = ["gae", "lambda_return", "n_step_return", "td_residual", "vtrace_correction"]

READ = "const(float64[::1])"
REW_VALUES_BOOTSTRAP_OFFSETS = f"{READ}, {READ}, {READ}, const(int64[::1])"


@kernel(f"void({REW_VALUES_BOOTSTRAP_OFFSETS}, float64, float64[::1])")
def td_residual(
    rew: FloatArray, values: FloatArray, bootstrap: FloatArray, offsets: IntArray, gamma: float, out: FloatArray
) -> None:
    """δ_t = r_t + γ V(s_{t+1}) − V(s_t) (P7)."""
    for i in range(offsets.shape[0] - 1):
        last = offsets[i + 1] - 1
        for t in range(offsets[i], last):
            out[t] = rew[t] + gamma * values[t + 1] - values[t]  # δ_t = r_t + γ V(s_{t+1}) − V(s_t)
        out[last] = rew[last] + gamma * bootstrap[i] - values[last]


@kernel(f"void({REW_VALUES_BOOTSTRAP_OFFSETS}, float64, int64, float64[::1])")
def n_step_return(
    rew: FloatArray,
    values: FloatArray,
    bootstrap: FloatArray,
    offsets: IntArray,
    gamma: float,
    n: int,
    out: FloatArray,
) -> None:
    """G^(n)_t = Σ_{k<n} γ^k r_{t+k} + γ^n V(s_{t+n}), no further than the end of the segment (P7, V6)."""
    for i in range(offsets.shape[0] - 1):
        end = offsets[i + 1]
        for t in range(offsets[i], end):
            if n < end - t:
                g, until = values[t + n], t + n
            else:
                g, until = bootstrap[i], end
            for k in range(until - 1, t - 1, -1):
                g = rew[k] + gamma * g  # G^(m)_k = r_k + γ G^(m−1)_{k+1}
            out[t] = g


@kernel(f"void({REW_VALUES_BOOTSTRAP_OFFSETS}, float64, float64, float64[::1])")
def lambda_return(
    rew: FloatArray,
    values: FloatArray,
    bootstrap: FloatArray,
    offsets: IntArray,
    gamma: float,
    lam: float,
    out: FloatArray,
) -> None:
    """G^λ_t = r_t + γ ((1−λ) V(s_{t+1}) + λ G^λ_{t+1}), with G^λ_T = V(s_T) (Sutton and Barto 2018, eq. 12.18)."""
    for i in range(offsets.shape[0] - 1):
        v, g = bootstrap[i], bootstrap[i]
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            g = rew[t] + gamma * ((1.0 - lam) * v + lam * g)  # G^λ_t = r_t + γ ((1−λ) V(s_{t+1}) + λ G^λ_{t+1})
            out[t] = g
            v = values[t]


@kernel(f"void({REW_VALUES_BOOTSTRAP_OFFSETS}, float64, float64, float64[::1])")
def gae(
    rew: FloatArray,
    values: FloatArray,
    bootstrap: FloatArray,
    offsets: IntArray,
    gamma: float,
    lam: float,
    out: FloatArray,
) -> None:
    """A_t = δ_t + γλ A_{t+1}, with A_T = 0 (P8; Schulman et al. 2016, eq. 16)."""
    decay = gamma * lam  # γλ
    for i in range(offsets.shape[0] - 1):
        v, adv = bootstrap[i], 0.0
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            delta = rew[t] + gamma * v - values[t]  # δ_t = r_t + γ V(s_{t+1}) − V(s_t)
            adv = delta + decay * adv  # A_t = δ_t + γλ A_{t+1}
            out[t] = adv
            v = values[t]


@kernel(f"void({READ}, {READ}, const(int64[::1]), float64, float64, float64, float64, float64[::1])")
def vtrace_correction(
    delta: FloatArray,
    rho: FloatArray,
    offsets: IntArray,
    gamma: float,
    lam: float,
    rho_bar: float,
    c_bar: float,
    out: FloatArray,
) -> None:
    """x_t = v_t − V(s_t) = min(ρ̄, ρ_t) δ_t + γ λ min(c̄, ρ_t) x_{t+1} (V7; Espeholt et al. 2018, remark 1)."""
    for i in range(offsets.shape[0] - 1):
        x = 0.0
        for t in range(offsets[i + 1] - 1, offsets[i] - 1, -1):
            c = lam * min(c_bar, rho[t])  # c_t
            x = min(rho_bar, rho[t]) * delta[t] + gamma * c * x  # x_t = ρ_t δ_t + γ c_t x_{t+1}
            out[t] = x
