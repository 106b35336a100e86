"""What a known mistake is: a stage in the place of the right one, with what is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from .diagnose_forms import Form, Stage, unit

__all__ = ["ANY", "MC", "TIMED", "TO_GO", "VALUES", "WHOLE", "Mistake", "Variant", "in_ratios", "put"]

# kinds of forms
TO_GO, WHOLE, VALUES = ("to go",), ("whole",), ("values",)
MC, TIMED, ANY = (*TO_GO, *WHOLE), (*TO_GO, *VALUES), (*TO_GO, *WHOLE, *VALUES)


@dataclass(frozen=True)
class Variant:
    """One way to make a mistake.

    Parameters
    ----------
    stages : mapping of str to stage
        What stands in the place of the right stages of a `Form`.
    kinds : tuple of str, optional
        The kinds of forms that it makes sense in.
    free : bool, optional
        The stages take a number `c` that is not known; E ĝ is affine in it.
    """

    stages: Mapping[str, Stage]
    kinds: tuple[str, ...] = ANY
    free: bool = False

    def put_into(self, form: Form, c: float = 1.0) -> Form:
        """The form with the mistake."""
        return form.with_stages({k: partial(s, c=c) if self.free else s for k, s in self.stages.items()})


@dataclass(frozen=True)
class Mistake:
    """A known mistake.

    Parameters
    ----------
    key : str
        Its name.
    id : str
        The row of the catalogue that it belongs to, or "".
    says : str
        What is wrong.
    remedy : str
        What to do.
    variants : tuple of Variant
        The ways in which it is made.
    where : tuple of str, optional
        Which settings it takes; see `variants`.
    """

    key: str
    id: str
    says: str
    remedy: str
    variants: tuple[Variant, ...]
    where: tuple[str, ...] = ()


def put(stage: str, *stages: Stage, kinds: tuple[str, ...] = ANY, free: bool = False) -> tuple[Variant, ...]:
    """A variant for each of several stages in one place."""
    return tuple(Variant({stage: s}, kinds, free) for s in stages)


def in_ratios(row: Stage, reward: Stage = unit) -> Variant:
    """Of off-policy estimates: what multiplies each row, and each reward."""
    return Variant({"ratios": row, "reward_ratios": reward})
