"""What is wrong with an estimator: its exact bias matched against that of known mistakes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Any

import numpy as np

from ..types import FloatArray
from .certify import Certificate, Given, Measured, certify, measure
from .certify_cases import Case, MakePolicy, Settings, fixed_cases
from .diagnose_batches import Batches, all_batches
from .diagnose_catalogue import variants
from .diagnose_forms import Form, right_forms
from .diagnose_mistakes import Mistake, Variant

__all__ = ["Diagnosis", "Match", "diagnose"]

SAME = 1e-7  # relative difference of means that is rounding, or an ε in a denominator
NEAR = 0.5  # share of the squared bias that a mistake must account for to be mentioned


@dataclass(frozen=True, eq=False)
class Match:
    """Mistakes that account for the bias on every problem.

    Parameters
    ----------
    mistakes : tuple of Mistake
        One; two, if no single one does.
    form : str
        The right estimator that they were put into.
    constant : float, optional
        The number that was fitted, of mistakes that have one.
    covariance : bool
        Whether the covariance agrees too, and not the mean alone.
    explained : float
        The share of the squared bias that they account for.
    """

    mistakes: tuple[Mistake, ...]
    form: str
    constant: float | None = None
    covariance: bool = False
    explained: float = 1.0

    @property
    def key(self) -> tuple[str, ...]:
        """The names of the mistakes."""
        return tuple(mistake.key for mistake in self.mistakes)


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found.

    Parameters
    ----------
    certificate : Certificate
        Bias and variance on each problem.
    matches : tuple of Match
        The mistakes that have exactly this bias, the likeliest first; those that agree are told apart by no problem.
    nearest : tuple of Match
        Where none has it: mistakes that account for most of the bias.
    unbiased : bool
        There is nothing to diagnose.
    """

    certificate: Certificate
    matches: tuple[Match, ...]
    nearest: tuple[Match, ...]
    unbiased: bool

    @property
    def keys(self) -> list[tuple[str, ...]]:
        """Names of the mistakes of each match."""
        return [match.key for match in self.matches]

    def __str__(self) -> str:
        name, rows = self.certificate.name, self.certificate.rows
        if self.unbiased:
            return f"{name} is unbiased on all {len(rows)} problems: there is nothing to diagnose"
        biased = [row for row in rows if not row.relative_bias <= SAME]
        lines = [
            f"{name} is biased on {len(biased)} of {len(rows)} problems with batches of two, "
            f"by up to {self.certificate.relative_bias:.3g} of ‖∇‖"
        ]
        if self.matches:
            lines += _listed("It is", "or, with the same mean", self.matches)
        elif self.nearest:
            lines += ["No known mistake has exactly this bias.", *_listed("Nearest is", "then", self.nearest)]
        else:
            lines.append("No known mistake comes near. Look at the bias of each problem: print(diagnosis.certificate)")
        return "\n".join(lines)


def diagnose(
    estimator: Given,
    *,
    target: str = "undiscounted",
    gamma: float = 1.0,
    behaviour: str = "policy",
    with_values: bool = False,
    ent_coef: float = 0.0,
    policy: MakePolicy = "linear",
    cases: Sequence[Case] | None = None,
) -> Diagnosis:
    """Name the mistake that an estimator makes.

    For every known mistake the exact mean of an estimator that makes it is computed on all problems of `certify`, in
    batches of one and of two, and compared; where no single one has the bias, pairs of them are tried.

    Parameters
    ----------
    estimator, target, gamma, behaviour, with_values, ent_coef, policy, cases
        As for `certify`. The right γ and ent_coef are those of the target that you mean; the mistakes are looked for
        on that ground.

    Returns
    -------
    Diagnosis
        ``print`` shows it.

    Raises
    ------
    InvalidInput, NonFinite
        As `certify`.

    Examples
    --------
    >>> import npgrad
    >>> from npgrad.critics import reward_to_go
    >>> def actor_critic(policy, theta, batch):
    ...     G = reward_to_go(batch, 0.9)  # and no γ^t
    ...     return policy.at(theta, batch.obs, batch.act).vjp(G) / batch.n_episodes
    >>> print(npgrad.diagnose(actor_critic, target="discounted", gamma=0.9))
    actor_critic is biased on 3 of 4 problems with batches of two, by up to 0... of ‖∇‖
    It is P5: the factor γ^t is missing: with γ < 1 that is the gradient of nothing in general
      (γ^t dropped, in reward-to-go; mean and covariance agree)
      remedy: Ψ_t = γ^t (G_t − b_t), or know that most libraries leave it out on purpose
    """
    settings = Settings(target, gamma, 2, behaviour, with_values, ent_coef, policy)
    common: dict[str, Any] = dict(target=target, gamma=gamma, behaviour=behaviour, with_values=with_values)
    certificate = certify(estimator, **common, ent_coef=ent_coef, policy=policy, cases=cases, library=False)
    chosen = fixed_cases(settings) if cases is None else list(cases)
    alone = _alone(estimator, chosen, settings)
    if certificate.relative_bias <= SAME and all(row.relative_bias <= SAME for row in alone or ()):
        return Diagnosis(certificate, (), (), unbiased=True)

    batches = _batches_of if cases is None else _batches_on(chosen)
    seen = [_Seen(row, x) for row, x in zip(certificate.rows, batches(settings, 2), strict=True)]
    if alone is not None:
        seen += [_Seen(row, x) for row, x in zip(alone, batches(settings, 1), strict=True)]
    seen.sort(key=lambda s: s.weight, reverse=True)  # where mistakes show most comes first, to rule out others soon
    search = _Search(seen, right_forms(settings), list(variants(settings)), takes_one=alone is not None)
    matches = _best(search.singles()) or _best(search.pairs())
    return Diagnosis(certificate, tuple(matches), () if matches else tuple(search.nearest()), unbiased=False)


class _Seen:
    """What the estimator does on one problem, in batches of one size."""

    def __init__(self, row: Measured, x: Batches) -> None:
        self.mean, self.covariance, self.gradient = row.moments.mean, row.moments.covariance, row.gradient
        self.x = x
        self.scale = max(float(np.linalg.norm(row.gradient)), float(np.linalg.norm(self.mean)))
        self.weight: float = row.relative_bias

    def off(self, mean: FloatArray) -> float:
        """Relative distance of another mean; infinite if that is not finite."""
        distance = float(np.linalg.norm(mean - self.mean)) / self.scale
        return distance if np.isfinite(distance) else float("inf")

    def same_covariance(self, form: Form) -> bool:
        other = self.x.covariance(form.psi(self.x))
        size = max(float(np.linalg.norm(self.covariance)), self.scale**2)
        return bool(np.linalg.norm(other - self.covariance) <= SAME * size)


class _Search:
    """Mistakes put into right forms, and compared with what was seen."""

    def __init__(
        self, seen: list[_Seen], forms: list[Form], ways: list[tuple[Mistake, Variant]], *, takes_one: bool
    ) -> None:
        self.seen, self.forms, self.ways, self.takes_one = seen, forms, ways, takes_one

    def singles(self) -> Iterator[Match]:
        for mistake, variant in self.ways:
            for form in self.forms:
                if form.kind in variant.kinds:
                    c = self._fitted(form, variant) if variant.free else None
                    made = variant.put_into(form, 1.0 if c is None else c)
                    if self._same_mean(made):
                        yield self._match((mistake,), form, made, c)

    def pairs(self) -> Iterator[Match]:
        """Two mistakes that are made in different places."""
        fixed = [(m, v) for m, v in self.ways if not v.free]
        for form in self.forms:
            fit = [(m, v) for m, v in fixed if form.kind in v.kinds and v.stages]
            for (m, v), (m_2, v_2) in combinations(fit, 2):
                if not set(v.stages) & set(v_2.stages):
                    made = v_2.put_into(v.put_into(form))
                    if self._same_mean(made):
                        yield self._match((m, m_2), form, made)

    def nearest(self, count: int = 2) -> list[Match]:
        """The single mistakes that account for most of the bias."""
        found: dict[tuple[str, ...], Match] = {}
        total = sum((s.off(s.gradient)) ** 2 for s in self.seen)
        for form in self.forms:
            for mistake, variant in self.ways:
                if form.kind in variant.kinds:
                    c = self._fitted(form, variant) if variant.free else None
                    made = variant.put_into(form, 1.0 if c is None else c)
                    left = sum(s.off(s.x.mean(made.psi(s.x))) ** 2 for s in self.seen)
                    match = Match((mistake,), form.name, c, explained=1 - left / total)
                    if match.explained > max(NEAR, found[match.key].explained if match.key in found else 0):
                        found[match.key] = match
        return sorted(found.values(), key=lambda match: -match.explained)[:count]

    def _same_mean(self, form: Form) -> bool:
        return all(s.off(s.x.mean(form.psi(s.x))) <= SAME for s in self.seen)

    def _match(self, mistakes: tuple[Mistake, ...], form: Form, made: Form, c: float | None = None) -> Match:
        alike = all(s.same_covariance(made) for s in self.seen)
        if not self.takes_one:  # a form that takes single episodes is not this one
            alike = alike and self._needs_two(made)
        return Match(mistakes, form.name, c, alike)

    def _needs_two(self, form: Form) -> bool:
        x = self.seen[0].x
        one = Batches(**{**vars(x), **{name: getattr(x, name)[:, :1] for name in _BY_EPISODE}})
        return not np.isfinite(form.psi(one)).all()

    def _fitted(self, form: Form, variant: Variant) -> float:
        """The c of least squares, as E ĝ is affine in it."""
        at, by = 0.0, 0.0
        for s in self.seen:
            zero = s.x.mean(variant.put_into(form, 0.0).psi(s.x))
            slope = s.x.mean(variant.put_into(form, 1.0).psi(s.x)) - zero
            at += float(slope @ (s.mean - zero)) / s.scale**2
            by += float(slope @ slope) / s.scale**2
        return at / by if by > 0 else 0.0


_BY_EPISODE = ("alive", "rew", "log_pi", "log_rho", "states", "Q", "Q_0", "V", "V_next", "terminated", "truncated")


def _best(found: Iterator[Match]) -> list[Match]:
    """One match for each mistake; if the covariance of some agrees, those alone; fitted ones only without others."""
    by_key: dict[tuple[str, ...], Match] = {}
    for match in found:
        if match.key not in by_key or match.covariance > by_key[match.key].covariance:
            by_key[match.key] = match
    matches = list(by_key.values())
    for better in (lambda m: m.covariance, lambda m: m.constant is None):
        matches = [m for m in matches if better(m)] or matches
    return matches


def _listed(first: str, further: str, matches: Sequence[Match]) -> list[str]:
    lines = []
    for i, match in enumerate(matches):
        said = "; and ".join(f"{m.id}: {m.says}" if m.id else m.says for m in match.mistakes)
        agree = "mean and covariance agree" if match.covariance else "the mean agrees"
        if match.explained < 1:
            agree = f"{100 * match.explained:.3g} % of the squared bias"
        fitted = "" if match.constant is None else f", with the constant {match.constant:.6g}"
        lines.append(f"{further if i else first} {said}")
        lines.append(f"  ({' + '.join(match.key)}, in {match.form}{fitted}; {agree})")
        lines += [f"  remedy: {m.remedy}" for m in match.mistakes]
    return lines


def _alone(estimator: Given, cases: Sequence[Case], settings: Settings) -> list[Measured] | None:
    """The same in batches of one episode, which tells sums from means; None if the estimator refuses those."""
    one = Settings(**{**vars(settings), "n": 1})
    try:
        with np.errstate(all="ignore"):
            return [measure(estimator, case, one, takes_values=settings.with_values) for case in cases]
    except Exception:
        return None  # it works on two, so it is one that needs two, as leave-one-out does


@lru_cache(maxsize=16)
def _batches_of(settings: Settings, n: int) -> list[Batches]:
    return [all_batches(case, settings, n) for case in fixed_cases(settings)]


def _batches_on(cases: Sequence[Case]) -> Any:
    return lambda settings, n: [all_batches(case, settings, n) for case in cases]
