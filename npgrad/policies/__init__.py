"""Policies: functions and distributions composed, action maps, normalisers, and `make_policy` from spaces."""

from .action_maps import ActionMap, Bins, Clip, Identity, Offset, Rescale, Tanh
from .composed import ComposedLinearisation, ComposedPolicy, Policy, PolicyLinearisation
from .make import POLICIES, make_policy
from .normaliser import Normaliser

__all__ = [
    "POLICIES",
    "ActionMap",
    "Bins",
    "Clip",
    "ComposedLinearisation",
    "ComposedPolicy",
    "Identity",
    "Normaliser",
    "Offset",
    "Policy",
    "PolicyLinearisation",
    "Rescale",
    "Tanh",
    "make_policy",
]
