"""Whole processes as candidates: a seed and an empty folder each, seconds taken off, failures that are told."""

import sys
from contextlib import ExitStack

import numpy as np
import pytest

from npgrad.bench import compare
from npgrad.bench.collecting import collecting_rows, episodes
from npgrad.bench.peer import Peers
from npgrad.bench.peers.problems import returns_problem
from npgrad.bench.processes import Process, process_rows
from npgrad.errors import InvalidInput

CODE = "import os, sys; sys.exit(0 if os.listdir() == [] and os.environ['MINE'] in os.getcwd() else 1)"


def test_each_call_has_a_seed_and_a_folder_of_its_own():
    seen = []

    def command(seed, folder):
        seen.append((seed, folder))
        return [sys.executable, "-c", CODE]

    process = Process(command, env=lambda folder: {"MINE": folder.name})
    (timing,) = compare({"process": process}, rounds=3)
    assert [seed for seed, _ in seen] == [0, 1, 2]  # none is spent on finding out how long it takes
    assert len({folder for _, folder in seen}) == 3
    assert not any(folder.exists() for _, folder in seen)
    assert (timing.seconds > 0).all()


def test_seconds_that_are_printed_are_taken_off():
    command = [sys.executable, "-c", "print(100)"]
    assert -100 < Process(lambda seed, folder: command, prints_seconds=True).seconds(1) < -10


def test_a_failure_is_told():
    with pytest.raises(InvalidInput, match="no such thing"):
        Process(lambda seed, folder: [sys.executable, "-c", "raise SystemExit('no such thing')"]).seconds(1)
    unsolved = "import sys; print(1); print('has not solved it in 9 steps', file=sys.stderr)"
    with pytest.raises(InvalidInput, match="has not solved it"):
        Process(lambda seed, folder: [sys.executable, "-c", unsolved], prints_seconds=True).seconds(1)


def test_rollouts_count_their_steps():
    ours = episodes("CartPole-v1", "linear", 8, None)
    assert ours.units == ours.function().n_steps > 8 * 50  # the policy balances for a while


def test_returns_agree_with_a_loop():
    """The digest that peers are compared with is that of the recursion."""
    row = next(row for row in collecting_rows() if row.name == "returns-gae")
    with Peers(None) as peers:
        (ours,) = row.candidates(peers, None).values()
    found = ours.function()
    p = returns_problem(1000, 200)
    rew, values, end = p["rew"], p["values"], p["offsets"][1]
    adv = 0.0
    for t in range(end - 1, -1, -1):
        after = values[t + 1] if t + 1 < end else 0.0
        adv = rew[t] + 0.99 * after - values[t] + 0.99 * 0.95 * adv
        np.testing.assert_allclose(found[t], adv, rtol=1e-12)


def test_every_act_is_the_agents():
    row = next(row for row in process_rows() if row.name == "act-mlp")
    with Peers(None) as peers, ExitStack() as stack:
        made = row.candidates(peers, stack)
        plain, compiled = (each.function() for each in made.values())
    assert plain == compiled
