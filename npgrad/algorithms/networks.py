"""Policies and critics as the kernels of `online_kernels` take them: what the network is, and how wide."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..compiled import layers_of
from ..functions import Concatenated, Constant, Featured, Fixed
from ..policies import ComposedPolicy, Policy
from ..rollouts.fused import head_of
from ..types import FloatArray, IntArray
from . import online_kernels as kernels
from .value import QuadraticFeatures, ValueFit

__all__ = ["Networks", "networks_of"]


@dataclass(frozen=True, eq=False)
class Networks:
    """What a kernel takes of a policy and a critic.

    Parameters
    ----------
    spec : int array
        See `online_kernels`.
    sizes, v_sizes : int array
        Widths of the layers.
    given : array, shape (k,)
        log σ where it is fixed.
    bounds : array, shape (3, k)
        Low, high and offset of the action map.
    """

    spec: IntArray
    sizes: IntArray
    v_sizes: IntArray
    given: FloatArray
    bounds: FloatArray


def networks_of(policy: Policy, value: ValueFit) -> Networks | None:
    """The networks, or None: linear functions and perceptrons, softmax or Gaussian, no normaliser or mask are taken.

    What is derived from these may be anything.

    Examples
    --------
    >>> from npgrad.functions import Linear
    >>> from npgrad.policies import make_policy
    >>> from npgrad.spaces import Box, Discrete
    >>> policy = make_policy((Box(-1.0, 1.0, (4,)), Discrete(2)), "mlp", hidden=(8,))
    >>> networks = networks_of(policy, ValueFit(Linear(4, 1)))
    >>> networks.sizes, networks.v_sizes
    (array([4, 8, 2]), array([4, 1]))
    """
    head = head_of(policy)
    if head is None or not isinstance(policy, ComposedPolicy) or policy.normaliser is not None:
        return None
    function, log_std, given = policy.function, kernels.FROM_NET, np.zeros(0)
    if type(function) is Concatenated and len(function.parts) == 2:
        function, tail = function.parts
        if type(tail) is Fixed:
            log_std, given = kernels.GIVEN, np.asarray(tail.at(np.zeros(0), np.zeros((1, tail.n_in))).y[0])
        elif type(tail) is Constant:
            log_std = kernels.FROM_THETA
        else:
            return None
    quadratic, critic = False, value.function
    if type(critic) is Featured and type(critic.features) is QuadraticFeatures and value.with_time:
        quadratic, critic = True, critic.function
    layers, v_layers = layers_of(function), layers_of(critic)
    if layers is None or v_layers is None or not layers[2] or value.with_time != quadratic:
        return None
    spec = np.zeros(kernels.N_SPEC, dtype=np.int64)
    spec[kernels.GAUSSIAN], spec[kernels.K] = head.gaussian, head.bounds.shape[1]
    spec[kernels.ACTIVATION], spec[kernels.LOG_STD] = layers[1], log_std
    spec[kernels.N_NET], spec[kernels.MAPPED] = function.n_params, head.mapped
    spec[kernels.V_ACTIVATION], spec[kernels.V_BIAS], spec[kernels.QUADRATIC] = v_layers[1], v_layers[2], quadratic
    return Networks(spec, layers[0], v_layers[0], given, np.ascontiguousarray(head.bounds))
