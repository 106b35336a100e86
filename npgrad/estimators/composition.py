"""What some estimators need beyond scores: the function and the distribution that a policy is composed of."""

from __future__ import annotations

from ..errors import NotImplementedBy
from ..policies import ComposedLinearisation, ComposedPolicy, Policy, PolicyLinearisation

__all__ = ["composed", "composed_policy"]


def composed(lin: PolicyLinearisation) -> ComposedLinearisation:
    """`lin`, of which it is certain that it has a distribution over actions given y = f_θ(o)."""
    if not isinstance(lin, ComposedLinearisation):
        raise NotImplementedBy(
            f"{type(lin).__name__} knows only scores, and a ComposedPolicy is needed here: "
            "compose one of a function and a distribution, or choose an estimator that needs scores alone"
        )
    return lin


def composed_policy(policy: Policy) -> ComposedPolicy:
    """`policy`, of which it is certain that it is composed of a function and a distribution."""
    if not isinstance(policy, ComposedPolicy):
        raise NotImplementedBy(f"{type(policy).__name__} is no ComposedPolicy, which is needed here")
    return policy
