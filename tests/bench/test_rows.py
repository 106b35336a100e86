"""Rows: what is measured agrees with its peers, goals are judged rightly, a peer over the pipe does as it is told."""

import json
import sys

import numpy as np
import pytest

from npgrad.bench.catalogue import GROUPS, chosen
from npgrad.bench.gradients import all_scores, fisher_product, problem, surrogate_gradient
from npgrad.bench.peer import FOLDER, Peer, Peers
from npgrad.bench.peers.problems import digest, gradient_problem
from npgrad.bench.report import line, section, verdicts
from npgrad.bench.rows import Goal, Measured, Ours, Row, measure
from npgrad.errors import InvalidInput, UnknownName


def ours_alone(peers, stack):
    return {"npgrad": Ours(lambda: sum(range(100)), [2.0, 1.0]), "other": Ours(lambda: None, [2.0, 1.0 + 1e-9])}


def test_a_row_is_measured_and_judged():
    row = Row("sum-small", "a sum", ours_alone, (Goal(1e9), Goal(0.001, against=("other",))), rounds=3)
    with Peers(None) as peers:
        found = measure(row, peers)
    assert row.group == "sum"
    assert [len(each) for each in found.seconds.values()] == [3, 3]
    assert json.loads(json.dumps(found.as_json()))["seconds"].keys() == {"npgrad", "other"}
    assert line(row, found).startswith("a sum\n    npgrad ")
    assert section([row], {"sum-small": found}).startswith(
        "| work | npgrad | other | goal |\n|---|---|---|---|\n| a sum |"
    )


@pytest.mark.parametrize("wrong", [2.1, np.nan])
def test_candidates_that_disagree_are_refused(wrong):
    row = Row("sum", "", lambda p, s: {"npgrad": Ours(sum, [2.0, 1.0]), "JAX": Ours(sum, [wrong, 1.0])})
    with Peers(None) as peers, pytest.raises(InvalidInput, match="JAX computes"):
        measure(row, peers)


def test_goals():
    found = Measured("x", {"npgrad, 1 thread": [2.0] * 5, "npgrad, 2 threads": [1.0] * 5, "torch": [3.0] * 5})
    rate = Row("x", "", None, (Goal(0.6, 1.0), Goal(1.2), Goal(0.8)), unit="steps")
    assert [(v.reached, v.beyond, round(v.short, 3)) for v in verdicts(rate, found)] == [
        (True, True, 0),
        (False, False, 0.167),
        (True, False, 0),
    ]
    time = Row("x", "", None, (Goal(1.0), Goal(1.5, 0.5, ours="npgrad, 1 thread"), Goal(2.0, against=("torch", "JAX"))))
    assert [(v.reached, round(v.short, 3)) for v in verdicts(time, found)] == [(True, 0), (False, 0.333), (True, 0)]
    assert verdicts(Row("x", "", None, (Goal(2.0, against=("JAX",)),)), found) == []


def test_a_busy_machine_says_nothing_against_figures_of_its_own():
    seconds = {"npgrad, 1 thread": [1.0] * 5, "npgrad, 2 threads": [0.9] * 5, "JAX": [0.9] * 5}
    second = Goal(1.7, None, ("npgrad, 1 thread",), ours="npgrad, 2 threads")
    row = Row("x", "", None, (Goal(0.5), Goal(1.5), second, Goal(1.7, against=("JAX",))))
    for busy, expected in ((0.0, [False] * 4), (1.5, [True, False, True, False])):
        assert [v.open for v in verdicts(row, Measured("x", seconds, busy))] == expected
    assert str(verdicts(row, Measured("x", seconds, 1.5))[0]) == "900 ms on a busy machine, ≤ 500 ms open"


def test_names():
    assert {row.group for row in chosen()} == set(GROUPS)
    names = [row.name for row in chosen()]
    assert len(names) == len(set(names))
    assert [row.name for row in chosen(["scores-mlp", "scores"])] == ["scores-mlp", "scores-linear"]
    with pytest.raises(UnknownName, match="gradients"):
        chosen(["gradient"])
    with pytest.raises(UnknownName, match="scores-mlp"):
        chosen(["scores-ml"])


@pytest.mark.parametrize(("d", "k"), [(4, 2), (3, 3)])
def test_the_work_of_the_rows(d, k):
    """Against central differences of Σ Ψ log π, and the products of the parts."""
    policy, theta, batch, psi = given = problem(d, k, [64, 64], 300, "float64")
    g = surrogate_gradient(*given, None)()
    scores = all_scores(*given, None)()
    np.testing.assert_allclose(psi @ scores, g, rtol=1e-9, atol=1e-9)
    at = [0, len(theta) // 2, len(theta) - 1]
    for i in at:
        step = 1e-6 * np.eye(len(theta))[i]
        up, down = ((policy.at(theta + s, batch.obs, batch.act).log_prob * psi).sum() for s in (step, -step))
        np.testing.assert_allclose((up - down) / 2e-6, g[i], rtol=1e-6, atol=1e-6)
    if k != 2:
        p = gradient_problem(d, k, [64, 64], 300, "float64")
        v = np.concatenate([np.cos(np.arange(w.size)) for w in p["parameters"]])
        expected = policy.at(theta, batch.obs, batch.act).fisher_vp(v, np.full(300, 1 / 300))
        np.testing.assert_allclose(fisher_product(*given, None)(), expected, rtol=1e-9)


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A folder of peers with one of our own making."""
    for name in ("host.py", "problems.py"):
        (tmp_path / name).write_text((FOLDER / name).read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "with_mine.py").write_text(
        "print('chatter')\n"
        "def about(): return 'mine 1'\n"
        "def case(n): return lambda: sum(range(n)), [float(n)]\n"
        "CASES = {'sum': case}\n"
    )
    monkeypatch.setattr("npgrad.bench.peer.FOLDER", tmp_path)
    return tmp_path


def test_a_peer_over_the_pipe(planted):
    peer = Peer(sys.executable, "mine")
    assert peer.about == "mine 1"
    short, long = peer.start("sum", n=10), peer.start("sum", n=100_000)
    assert (short.digest, long.digest) == ([10.0], [100_000.0])
    assert 0 < short.seconds(1) < long.seconds(20)
    with pytest.raises(InvalidInput, match="mine cannot do product: KeyError"):
        peer.start("product")
    peer.close()
    with pytest.raises(InvalidInput, match="has ended"):
        short.seconds(1)


def test_no_such_interpreter():
    with pytest.raises(InvalidInput, match="--peers /nowhere/python"):
        Peers("/nowhere/python")


def test_digest_tells_results_apart():
    x = np.arange(5.0)
    assert digest(x) == digest(x[None]) != digest(x[::-1])
