"""Features of continuous observations: Fourier bases, radial basis functions, tile coding."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from ..types import Array, FloatArray
from ..validation import require_positive
from .base import checked_count, finite_array, set_counts
from .features import checked_columns, require_few

__all__ = ["RBF", "Fourier", "TileCoding"]


@dataclass(frozen=True)
class Fourier:
    """Cosines of linear forms.

        φ_k(x) = cos(ω_k · x + b_k)

    `Fourier.cosine` makes the basis of a box up to an order, `Fourier.random` one with random frequencies.

    Parameters
    ----------
    frequencies : tuple of tuple of float, shape (K, d)
        ω, in radians per unit of x.
    phases : tuple of float, shape (K,)
        b, in radians.

    Raises
    ------
    InvalidInput
        If shapes disagree, or there would be more than a million features.

    Notes
    -----
    Konidaris, Osentoski and Thomas 2011 (cosine); Rahimi and Recht 2007 (random).

    Examples
    --------
    >>> Fourier.cosine(low=[0.0], high=[2.0], order=2)(np.array([[0.0], [1.0]])).round(12)
    array([[ 1.,  1.,  1.],
           [ 1.,  0., -1.]])
    """

    frequencies: tuple[tuple[float, ...], ...]
    phases: tuple[float, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "frequencies", _rows(finite_array("frequencies", self.frequencies, 2)))
        object.__setattr__(self, "phases", tuple(finite_array("phases", self.phases, 1).tolist()))
        if len(self.phases) != len(self.frequencies):
            raise InvalidInput(f"there are {len(self.frequencies)} frequencies and {len(self.phases)} phases")

    @classmethod
    def cosine(cls, low: npt.ArrayLike, high: npt.ArrayLike, order: int) -> Fourier:
        """cos(π c · (x − low)/(high − low)) for every c in {0, …, order}^d; c = 0 is the constant 1."""
        low, high = _box(low, high)
        order = checked_count("order", order, 0)
        require_few((order + 1) ** len(low), "lower the order, or use Fourier.random")
        c = np.array(list(product(range(order + 1), repeat=len(low))))  # (K, d)
        omega = np.pi * c / (high - low)  # ω_c = π c / (high − low)
        return cls(omega.tolist(), (-omega @ low).tolist())

    @classmethod
    def random(cls, n_in: int, n_out: int, rng: np.random.Generator, scale: float = 1.0) -> Fourier:
        """ω ~ N(0, I/scale²), b ~ U(0, 2π): φ(x)·φ(x') → (K/2) exp(−‖x−x'‖²/(2 scale²)) as K grows."""
        require_positive("scale", scale)
        n_in, n_out = checked_count("n_in", n_in, 1), checked_count("n_out", n_out, 1)
        require_few(n_out, "ask for fewer")
        return cls((rng.normal(size=(n_out, n_in)) / scale).tolist(), rng.uniform(0, 2 * np.pi, n_out).tolist())

    @property
    def n_in(self) -> int:
        """d, columns of ω."""
        return len(self.frequencies[0])

    @property
    def n_out(self) -> int:
        """K, rows of ω."""
        return len(self.frequencies)

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray]:
        return np.array(self.frequencies), np.array(self.phases)

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """φ(obs), shape (T, K)."""
        obs = checked_columns(self, obs)
        omega, b = (array.astype(obs.dtype, copy=False) for array in self._arrays)
        phi: Array = np.cos(obs @ omega.T + b)
        return phi


@dataclass(frozen=True)
class RBF:
    """Radial basis functions.

        φ_k(x) = exp(−½ Σ_j ((x_j − c_kj)/σ_j)²),   divided by Σ_k φ_k(x) if normalised

    `RBF.grid` puts the centres on a regular grid.

    Parameters
    ----------
    centres : tuple of tuple of float, shape (K, d)
        c.
    widths : tuple of float, shape (d,)
        σ of each column.
    normalised : bool
        Whether each row sums to 1.

    Raises
    ------
    InvalidInput
        If shapes disagree, a width is not above 0, or there would be more than a million features.

    Notes
    -----
    Sutton and Barto 2018, section 9.5.5.

    Examples
    --------
    >>> RBF(centres=[[0.0], [1.0]], widths=[1.0])(np.array([[0.0]]))
    array([[1.        , 0.60653066]])
    """

    centres: tuple[tuple[float, ...], ...]
    widths: tuple[float, ...]
    normalised: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "centres", _rows(finite_array("centres", self.centres, 2)))
        object.__setattr__(self, "widths", tuple(finite_array("widths", self.widths, 1).tolist()))
        if len(self.widths) != self.n_in or min(self.widths) <= 0:
            raise InvalidInput(f"widths is {self.widths}, expected {self.n_in} numbers above 0, one for each column")

    @classmethod
    def grid(cls, low: npt.ArrayLike, high: npt.ArrayLike, n: int, *, normalised: bool = False) -> RBF:
        """Centres at n ≥ 2 places a column, ends included; each σ is the distance between neighbours."""
        low, high = _box(low, high)
        n = checked_count("n", n, 2)
        require_few(n ** len(low), "take fewer centres a column")
        places = [np.linspace(a, b, n).tolist() for a, b in zip(low, high, strict=True)]
        return cls(tuple(product(*places)), ((high - low) / (n - 1)).tolist(), normalised)

    @property
    def n_in(self) -> int:
        """d, columns of the centres."""
        return len(self.centres[0])

    @property
    def n_out(self) -> int:
        """K, the number of centres."""
        return len(self.centres)

    @cached_property
    def _arrays(self) -> tuple[FloatArray, FloatArray]:
        return np.array(self.centres), np.array(self.widths)

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """φ(obs), shape (T, K)."""
        obs = checked_columns(self, obs)
        centres, widths = (array.astype(obs.dtype, copy=False) for array in self._arrays)
        half = np.zeros((len(obs), self.n_out), obs.dtype)  # ½ Σ_j ((x_j − c_kj)/σ_j)²
        for j in range(self.n_in):
            half += 0.5 * ((obs[:, j, None] - centres[:, j]) / widths[j]) ** 2
        if self.normalised:
            half -= half.min(axis=1, keepdims=True)  # the same quotient, and no 0/0 far from every centre
        phi: Array = np.exp(-half)
        return phi / phi.sum(axis=1, keepdims=True) if self.normalised else phi


@dataclass(frozen=True)
class TileCoding:
    """Several grids over a box, each displaced by part of a tile; one 1 for each grid, in the tile that holds x.

        u_j = tiles_j (x_j − low_j)/(high_j − low_j),   tile of grid i: ⌊u_j + (i (2j + 1)/tilings mod 1)⌋,  j = 0, 1, …

    Parameters
    ----------
    low, high : tuple of float, shape (d,)
        The box; x outside of it falls into the outermost tiles.
    tiles : tuple of int, shape (d,), or int
        Tiles across the box in each column; a displaced grid has one more.
    tilings : int
        The number of grids.

    Raises
    ------
    InvalidInput
        If the box is empty or infinite, a count is below 1, or there would be more than a million features.

    Notes
    -----
    The displacements by odd numbers (1, 3, 5, …) are those of Sutton and Barto 2018, section 9.5.4.

    Examples
    --------
    >>> TileCoding(low=[0.0], high=[1.0], tiles=2, tilings=2)(np.array([[0.3]]))  # two grids of three tiles
    array([[1., 0., 0., 0., 1., 0.]])
    """

    low: tuple[float, ...]
    high: tuple[float, ...]
    tiles: tuple[int, ...] | int
    tilings: int = 8

    def __post_init__(self) -> None:
        low, high = _box(self.low, self.high)
        tiles = np.asarray(self.tiles)
        if tiles.dtype.kind not in "iu" or tiles.shape not in ((), low.shape) or (tiles < 1).any():
            raise InvalidInput(f"tiles is {self.tiles!r}, expected integers of at least 1, one or {len(low)} of them")
        object.__setattr__(self, "low", tuple(low.tolist()))
        object.__setattr__(self, "high", tuple(high.tolist()))
        object.__setattr__(self, "tiles", tuple(np.broadcast_to(tiles, low.shape).tolist()))
        set_counts(self, tilings=1)
        require_few(self.n_out, "take fewer tiles")

    @property
    def n_in(self) -> int:
        """d, columns of the box."""
        return len(self.low)

    @property
    def n_out(self) -> int:
        """tilings · Π_j (tiles_j + 1)."""
        return self.tilings * int(np.prod(self._shape))

    @property
    def _shape(self) -> tuple[int, ...]:
        return tuple((np.array(self.tiles) + 1).tolist())

    def __call__(self, obs: npt.ArrayLike) -> Array:
        """φ(obs), shape (T, n_out)."""
        obs = checked_columns(self, obs)
        low, high, tiles = np.array(self.low), np.array(self.high), np.array(self.tiles, dtype=np.float64)
        u = np.clip(tiles * ((obs - low) / (high - low)), 0, np.nextafter(tiles, 0))  # (T, d)
        i, j = np.arange(self.tilings), np.arange(self.n_in)
        shift = i[:, None] * (2 * j + 1) / self.tilings % 1  # (tilings, d)
        tile = np.floor(u[:, None, :] + shift).astype(np.int64)  # (T, tilings, d)
        place = np.ravel_multi_index((i, *np.moveaxis(tile, 2, 0)), (self.tilings, *self._shape))  # (T, tilings)
        phi = np.zeros((len(obs), self.n_out), obs.dtype)
        phi[np.arange(len(obs))[:, None], place] = 1
        return phi


def _box(low: npt.ArrayLike, high: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """low and high (d,) as arrays, low < high."""
    a, b = finite_array("low", low, 1), finite_array("high", high, 1)
    if a.shape != b.shape or not (a < b).all():
        raise InvalidInput(f"low is {a} and high {b}, expected one of each per column, with low < high")
    return a, b


def _rows(table: FloatArray) -> tuple[tuple[float, ...], ...]:
    """A table (K, d) as a tuple of rows, so that descriptions stay hashable and go into JSON."""
    return tuple(map(tuple, table.tolist()))
