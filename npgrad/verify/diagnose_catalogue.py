"""All known mistakes, and those that given settings allow."""

from __future__ import annotations

from collections.abc import Iterator

from .certify_cases import Settings
from .diagnose_in_returns import IN_RETURNS
from .diagnose_in_weights import IN_WEIGHTS
from .diagnose_mistakes import Mistake, Variant

__all__ = ["MISTAKES", "variants"]

MISTAKES = (*IN_RETURNS, *IN_WEIGHTS)


def variants(settings: Settings) -> Iterator[tuple[Mistake, Variant]]:
    """Every way to be mistaken that the settings allow.

    Examples
    --------
    >>> keys = {mistake.key for mistake, _ in variants(Settings("discounted", gamma=0.9))}
    >>> "γ^t dropped" in keys, "no ratios" in keys
    (True, False)
    """
    given = {
        "off-policy" if settings.behaviour == "other" else "on-policy",
        "γ" if settings.gamma < 1 else "no γ",
        "target with γ" if settings.target_gamma < 1 else "target without γ",
        "values" if settings.with_values else "no values",
        "entropy" if settings.ent_coef else "no entropy",
        "∇L" if settings.target == "surrogate" else "∇J",
    }
    for mistake in MISTAKES:
        if given.issuperset(mistake.where):
            for variant in mistake.variants:
                yield mistake, variant
