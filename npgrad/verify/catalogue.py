"""Statements and their registry: what holds, who says so, and a function that measures how far it is from holding."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TypeAlias

import numpy as np

from ..errors import InvalidInput, UnknownName
from ..validation import require_in, require_positive
from .problem import Problem

__all__ = ["CATALOGUE", "KINDS", "Catalogue", "Check", "Finding", "Statement", "statement"]

# kind → the residual that it may have, strongest kind first
KINDS = {
    "exact": 1e-10,  # enumeration, dynamic programming, linear solves, closed forms
    "identity": 1e-12,  # two computations of one number on the same data
    "quadrature": 1e-10,  # one-dimensional integrals
    "diff": 1e-12,  # complex step; give tolerance=1e-7 to central differences
    "order": 0.05,  # |measured slope − expected slope| of an error term
    "sampled": 1.0,  # |estimate − exact| over half the width of the 99.9 % interval
    "bound": 1e-12,  # the largest violation of an inequality
}


@dataclass(frozen=True)
class Finding:
    """What a check found, where one number does not say it all.

    Parameters
    ----------
    residual : float
        How far the statement is from holding.
    printed : float, optional
        Of an erratum: how far the form as printed is from holding. The row passes only if that one clearly fails.
    numbers : mapping of str to number or text, optional
        What else is worth showing: biases, variances, examples.
    """

    residual: float
    printed: float | None = None
    numbers: Mapping[str, object] = field(default_factory=dict)


Check: TypeAlias = Callable[[Problem], "float | Finding"]


@dataclass(frozen=True)
class Statement:
    """One row of the catalogue.

    Parameters
    ----------
    id : str
        As in O1, P3, X14. Ids never change.
    section : int
        1 to 10; 0 for statements of your own.
    statement : str
        What holds, in one line.
    source : str
        The lecture or paper.
    kind : str
        One of `KINDS`.
    tolerance : float
        The largest residual that passes.
    check : function
        ``problem → residual``, or a `Finding`. Its docstring is the derivation.
    """

    id: str
    section: int
    statement: str
    source: str
    kind: str
    tolerance: float
    check: Check

    def __call__(self, seed: int = 0) -> Finding:
        """Measure on the problem of that seed.

        Raises
        ------
        InvalidInput
            If the residual is a truth value; or negative, as a difference with its sign, unless of a bound.

        Examples
        --------
        >>> from npgrad.verify import CATALOGUE
        >>> CATALOGUE["O1"](seed=0).residual < 1e-10
        True
        """
        found = self.check(Problem(seed))
        residual = found.residual if isinstance(found, Finding) else found
        if isinstance(residual, (bool, np.bool_)):
            raise InvalidInput(f"the check gives {residual}, expected how far off it is; take must(…)")
        if float(residual) < 0 and self.kind != "bound":
            raise InvalidInput(f"the residual is {float(residual):.3g}, expected a distance: take abs or difference")
        return found if isinstance(found, Finding) else Finding(float(found))

    @property
    def own(self) -> bool:
        """Whether it was registered by a user, and is no row of the library's sections."""
        return not self.check.__module__.startswith(f"{__package__}.section_")

    @property
    def derivation(self) -> str:
        """The docstring of the check."""
        return inspect.getdoc(self.check) or ""


class Catalogue(Mapping[str, Statement]):
    """Statements by id. Sections are imported at the first look; `section_<number>_<topic>.py` are found by name."""

    def __init__(self) -> None:
        self._statements: dict[str, Statement] = {}
        self._loaded = False

    def add(self, row: Statement) -> None:
        """Register a statement.

        Raises
        ------
        InvalidInput
            If the id is taken, has blanks, or the check has no docstring to explain it.
        """
        if not re.fullmatch(r"\S+", row.id):
            raise InvalidInput(f"id is {row.id!r}, expected one word, as in 'MY1'")
        if not row.statement.strip() or not row.derivation:
            raise InvalidInput(f"{row.id} says too little: give a statement, and the derivation as the docstring")
        require_in("kind", row.kind, tuple(KINDS))
        require_positive("tolerance", row.tolerance)
        if row.own:
            self._load()  # ids of the sections come first
        if row.id in self._statements:
            taken = self._statements[row.id]
            raise InvalidInput(f"id {row.id} is taken by {taken.statement!r}; ids never change, take another")
        self._statements[row.id] = row

    def remove(self, id: str) -> None:
        """Forget a statement of your own, to register it anew.

        Raises
        ------
        UnknownName
            If there is none of that id.
        InvalidInput
            If it is one of the library's.
        """
        if not self[id].own:
            raise InvalidInput(f"{id} is a statement of the library, expected one of your own")
        del self._statements[id]

    def section(self, number: int) -> list[Statement]:
        """The statements of a section, in order.

        Raises
        ------
        UnknownName
            If it has none.
        """
        rows = [row for row in self.values() if row.section == number]
        if not rows:
            raise UnknownName("section", str(number), {str(row.section) for row in self.values()})
        return rows

    def __getitem__(self, id: str) -> Statement:
        self._load()
        if id not in self._statements:
            raise UnknownName("statement", id, self._statements)
        return self._statements[id]

    def __iter__(self) -> Iterator[str]:
        self._load()
        return iter(sorted(self._statements, key=self._order))

    def __len__(self) -> int:
        self._load()
        return len(self._statements)

    def __contains__(self, id: object) -> bool:
        self._load()
        return id in self._statements

    def _order(self, id: str) -> tuple[int, str, int]:
        """By section, letters, number; own statements last."""
        letters, number = re.fullmatch(r"(.*?)(\d*)", id, re.DOTALL).groups()  # type: ignore[union-attr]
        return self._statements[id].section or 99, letters, int(number or 0)

    def _load(self) -> None:
        if not self._loaded:
            for module in pkgutil.iter_modules(import_module(__package__).__path__):
                if re.match(r"section_\d+_", module.name):
                    import_module(f"{__package__}.{module.name}")
            self._loaded = True


CATALOGUE = Catalogue()


def statement(
    *, id: str, statement: str, source: str, kind: str, section: int = 0, tolerance: float | None = None
) -> Callable[[Check], Check]:
    """Register the decorated check in the catalogue; its docstring is the derivation.

    The check takes a `Problem`, random but fixed by its seed, and returns the residual, or a `Finding`. It must be able
    to fail: an oracle or an independent computation on one side, what is judged on the other.

    Parameters
    ----------
    id, section, statement, source, kind
        As for `Statement`.
    tolerance : float, optional
        That of the kind by default.

    Raises
    ------
    InvalidInput
        If the id is taken, the kind unknown, or there is no docstring.

    Examples
    --------
    >>> from npgrad.oracle import gradient, separable_moments
    >>> from npgrad.verify import CATALOGUE, Problem, difference, run, statement
    >>> @statement(id="MY1", statement="Doubled rewards double the mean of my estimator", source="me", kind="exact")
    ... def doubled(problem: Problem):
    ...     \"\"\"E Σ_t f_t 2G_t = 2 ∇J, since E is linear.\"\"\"
    ...     mdp = problem.mdp
    ...     policy, theta = problem.policy(mdp)
    ...     def mine(policy, theta, batch):
    ...         psi = 2 * batch.returns()[batch.segment]
    ...         return policy.at(theta, batch.obs, batch.act).vjp_segments(psi, batch.offsets)
    ...     mean = separable_moments(mine, mdp, policy, theta).mean
    ...     return difference(mean, 2 * gradient(mdp, policy, theta))
    >>> run(["MY1"])[0].passed
    True
    >>> CATALOGUE.remove("MY1")
    """

    def register(check: Check) -> Check:
        CATALOGUE.add(Statement(id, section, statement, source, kind, tolerance or KINDS.get(kind, 1.0), check))
        return check

    return register
