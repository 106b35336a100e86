"""A policy taken apart has its parts in the right places."""

import numpy as np
import pytest

from npgrad.deploy.program import Program
from npgrad.errors import InvalidInput
from npgrad.policies import make_policy
from npgrad.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple, flat_dim
from tests.deploy.zoo import POLICIES, agent_of


@pytest.mark.parametrize("name", POLICIES)
def test_places_tile_what_they_stand_in(name):
    policy = POLICIES[name]
    program = Program.of(policy, agent_of(name).theta)
    y = [column for part in program.parts for column in range(part.first, part.last)]
    assert y == list(range(program.n_y))
    assert [head.act for head in program.heads] == list(np.cumsum([0, *(h.columns for h in program.heads)])[:-1])
    assert sum(head.columns for head in program.heads) == program.n_act
    used = set()
    for part in program.parts:
        for layer in getattr(part, "layers", ()):
            W, b = program.weights(layer)
            used |= set(range(layer.weights, layer.weights + W.size))
            used |= set() if b is None else set(range(layer.bias, layer.bias + b.size))
        if hasattr(part, "at"):
            used |= set(range(part.at, part.at + part.n))
    assert used == set(range(len(program.numbers)))
    assert len(program.names) == policy.n_obs


def test_names_of_every_space():
    space = Dict(
        {
            "door": Discrete(2, start=5),
            "keys": Tuple((MultiBinary(2), MultiDiscrete((2, 3), start=(0, -1)))),
            "place": Box(0.0, 1.0, (1, 2)),
        }
    )
    policy = make_policy((space, Discrete(2)))
    names = Program.of(policy, np.zeros(policy.n_params)).names
    assert len(names) == flat_dim(space)
    assert names == (
        "1 if obs['door'] is 5, else 0",
        "1 if obs['door'] is 6, else 0",
        "obs['keys'][0][0]",
        "obs['keys'][0][1]",
        "1 if obs['keys'][1][0] is 0, else 0",
        "1 if obs['keys'][1][0] is 1, else 0",
        "1 if obs['keys'][1][1] is -1, else 0",
        "1 if obs['keys'][1][1] is 0, else 0",
        "1 if obs['keys'][1][1] is 1, else 0",
        "obs['place'][0, 0]",
        "obs['place'][0, 1]",
    )


def test_other_policies_are_refused():
    with pytest.raises(InvalidInput, match="policy int cannot be exported; supported are ComposedPolicy"):
        Program.of(3, np.zeros(1))
