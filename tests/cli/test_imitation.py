"""npgrad record, clone and dagger: what they write, say, and refuse."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from npgrad.cli.record import FILE
from npgrad.data import load_demonstrations, record, save_demonstrations
from npgrad.deploy import Agent, load_agent
from npgrad.policies import make_policy
from npgrad.rollouts import make_rollout

FEW = ["--epochs", "3", "--eval-episodes", "2"]


@pytest.fixture
def here(npgrad, tmp_path, monkeypatch):
    """A folder with a module of experts, one of which tires."""
    import sys

    (tmp_path / "experts_here.py").write_text(
        "asked = 0\n"
        "def lean(obs):\n    return int(obs[2] + obs[3] > 0)\n"
        "def tired(obs):\n    global asked\n    asked += 1\n    if asked > 1200: raise ValueError('enough')\n"
        "    return lean(obs)\n"
        "NUMBER = 3\n"
    )
    sys.modules.pop("experts_here", None)
    yield tmp_path
    sys.modules.pop("experts_here", None)


def test_from_an_agent_to_a_clone_to_policy_gradient(npgrad, here):
    train = ["train", "CartPole-v1", "--steps", "2000", "--stop-at", "none", "--eval-every", "0", "--eval-episodes", 2]
    npgrad(*train, "--quiet", "--out", "expert")
    status, out, err = npgrad("record", "expert", "--episodes", 4)
    assert (status, err) == (0, "")
    assert out.splitlines()[1:] == [
        "file      expert/demonstrations.npz",
        "clone     npgrad clone expert/demonstrations.npz",
    ]
    shown = load_demonstrations(here / "expert" / "demonstrations.npz")
    assert shown.n_episodes == 4
    same = record(load_agent(here / "expert" / "agent.npz"), n_episodes=4)
    np.testing.assert_array_equal(shown.batch.obs, same.batch.obs)

    status, out, err = npgrad("clone", "expert/demonstrations.npz", *FEW, "--hidden", "5", "--seed", 3)
    assert (status, err) == (0, "")
    folder = here / "runs" / "CartPole-v1-clone-seed3"
    assert out.splitlines()[-1] == "train on  npgrad train CartPole-v1 --init-from runs/CartPole-v1-clone-seed3"
    assert [float(row["time/epoch"]) for row in csv.DictReader((folder / "progress.csv").open())] == [1, 2, 3]
    config = json.loads((folder / "config.json").read_text())
    assert (config["algo"], config["hyperparameters"]["epochs"], config["data"]) == (
        "clone",
        3,
        "expert/demonstrations.npz",
    )
    agent = load_agent(folder / "agent.npz")
    assert agent.policy.function.hidden == (5,)
    assert agent.info["eval_episodes"] == 2

    status, _, err = npgrad(*train, "--init-from", folder, "--no-preset", "--learning-rate", 1e-12, "--out", "on")
    assert status == 0
    np.testing.assert_allclose(load_agent(here / "on" / "last_agent.npz").theta, agent.theta, atol=1e-9)
    assert "score" in npgrad("info", folder)[1]
    assert npgrad("eval", folder, "--episodes", 2)[0] == 0
    # and a clone goes on as a clone
    status, _, _ = npgrad("clone", "expert/demonstrations.npz", *FEW, "--init-from", folder, "--out", "more")
    assert status == 0
    more = load_agent(here / "more" / "agent.npz")
    assert more.policy.function.hidden == (5,)
    assert (more.policy.normaliser.mean == agent.policy.normaliser.mean).all()


def test_a_function_is_recorded(npgrad, here):
    status, out, _ = npgrad("record", "experts_here:lean", "--env", "CartPole-v1", "--episodes", 2)
    assert status == 0
    assert out.startswith("CartPole-v1: 2 episodes, ")
    found = load_demonstrations(here / "demonstrations.npz")
    assert found.info["actor"] == "experts_here:lean"
    status, _, err = npgrad("record", "experts_here:lean", "--env", "CartPole-v1")
    assert status == 2
    assert "demonstrations.npz exists; choose another --out" in err


def test_a_hint_for_demonstrators_without_noise(npgrad, here):
    policy = make_policy(make_rollout("Pendulum-v1"))
    Agent(policy, np.zeros(policy.n_params), {"env_id": "Pendulum-v1"}).save("agent.npz")
    npgrad("record", "agent.npz", "--episodes", 2)
    npgrad("record", "agent.npz", "--episodes", 2, "--stochastic", "--out", "drawn.npz")
    for args, hinted in (([FILE], True), ([FILE, "--std", "fixed"], False), (["drawn.npz"], False)):
        status, out, _ = npgrad("clone", *args, *FEW)
        assert (status, "hint      " in out) == (0, hinted)


def test_dagger_and_the_log_of_queries(npgrad, here):
    args = ["--n-iterations", "2", "--n-episodes", "2", "--n-demonstrations", "2", "--policy", "linear", *FEW]
    status, out, err = npgrad("dagger", "CartPole-v1", "--expert", "experts_here:lean", *args)
    assert (status, err) == (0, "")
    assert len([line for line in out.splitlines() if line.startswith("fit ")]) == 3
    folder = here / "runs" / "CartPole-v1-dagger-seed0"
    rows = list(csv.DictReader((folder / "progress.csv").open()))
    data = load_demonstrations(folder / "demonstrations.npz")
    assert float(rows[-1]["dagger/queries"]) == data.n_steps
    assert rows[0]["dagger/disagreement"] == ""
    np.testing.assert_array_equal(data.batch.act, data.batch.obs[:, 2] + data.batch.obs[:, 3] > 0)
    info = load_agent(folder / "agent.npz").info
    assert (info["algo"], info["seed"], info["eval_episodes"]) == ("dagger", 0, 2)
    assert info["hyperparameters"] == json.loads((folder / "config.json").read_text())["hyperparameters"]
    status, _, _ = npgrad("train", "CartPole-v1", "--init-from", folder, "--steps", 100, "--eval-every", 0, "--quiet")
    assert status == 0


def test_an_expert_that_raises_loses_nothing(npgrad, here):
    status, _, err = npgrad("record", "experts_here:tired", "--env", "CartPole-v1", "--episodes", 10)
    assert status == 1
    assert "in episode 2, the expert raised ValueError: enough" in err
    assert "2 of 10 episodes, is in demonstrations.npz" in err
    assert load_demonstrations(here / "demonstrations.npz").n_steps == 1000
    import sys

    sys.modules["experts_here"].asked = 0
    status, out, err = npgrad(
        *("dagger", "CartPole-v1", "--expert", "experts_here:tired", "--n-demonstrations", 2, "--n-episodes", 2),
        *("--policy", "linear", *FEW),
    )
    assert status == 1
    assert out.startswith("fit  0")
    assert "all answers until then are in runs/CartPole-v1-dagger-seed0/demonstrations.npz: go on with --data" in err
    file = here / "runs" / "CartPole-v1-dagger-seed0" / "demonstrations.npz"
    assert load_demonstrations(file).n_steps == 1200
    status, _, _ = npgrad(
        *("dagger", "CartPole-v1", "--expert", "experts_here:lean", "--data", file, "--n-iterations", 1),
        *("--n-episodes", 1, "--policy", "linear", *FEW, "--out", "on", "--quiet"),
    )
    assert status == 0


def test_minari_and_back(npgrad, here, monkeypatch):
    pytest.importorskip("minari")
    pytest.importorskip("h5py")
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(here / "minari"))
    args = ["record", "experts_here:lean", "--env", "CartPole-v1", "--episodes", 2, "--minari", "npgrad/lean-v0"]
    with pytest.warns(UserWarning, match="is set to None"):  # Minari's, of what is not said about a dataset
        status, out, _ = npgrad(*args)
    assert status == 0
    assert out.splitlines()[-1] == "clone     npgrad clone minari:npgrad/lean-v0"
    status, out, _ = npgrad("clone", "minari:npgrad/lean-v0", *FEW, "--out", "cloned")
    assert status == 0
    assert not (here / "demonstrations.npz").exists()


def test_a_clone_is_kept_where_nothing_can_judge_it(npgrad, here):
    shown = record(lambda obs: 0, "CartPole-v1", 2)
    for i, info in enumerate(({"env_id": "Elsewhere-v0"}, {})):
        save_demonstrations(replace(shown, info=info), here / "d.npz")
        status, out, _ = npgrad("clone", "d.npz", *FEW, "--out", f"clone{i}")
        assert status == 0
        assert ("return    unknown: unknown environment 'Elsewhere-v0'" in out) == bool(info)
        assert ("train on" in out) == bool(info)
        assert load_agent(here / f"clone{i}" / "agent.npz").info["algo"] == "clone"
    status, _, err = npgrad("clone", "d.npz", *FEW, "--out", "clone0")
    assert status == 1
    assert "clone0 holds a run already" in err


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["record", "nowhere"], 1, "nowhere is no run folder and no agent file"),
        (["record", "experts_here:lean"], 2, "name an environment: --env ID"),
        (["record", "experts_here:leen", "--env", "CartPole-v1"], 1, "did you mean 'lean'"),
        (["record", "experts_here:NUMBER", "--env", "CartPole-v1"], 1, "unknown function of experts_here 'NUMBER'"),
        (["record", "no_such_module:f", "--env", "CartPole-v1"], 1, "is the module installed, or beside you?"),
        (["clone", "none.npz"], 2, "there is no file none.npz"),
        (["clone", "lean.npz", "--policy", "liner"], 1, "did you mean 'linear'"),
        (["clone", "lean.npz", "--init-from", "acrobot.npz"], 1, "the demonstrations have observation space"),
        (["dagger", "CartPole-v1", "--expert", "experts_here:lean", "--policy", "liner"], 1, "did you mean 'linear'"),
        (["clone", "experts_here.py"], 1, "holds no demonstrations that this npgrad"),
        (["clone", "experts_here.py", "--epochs", "0"], 2, "--epochs is 0, expected a number above 0"),
        (["clone", "experts_here.py", "--held-out", "0.9"], 2, "--held-out is 0.9"),
        (["record", "experts_here:lean", "--env", "CartPole-v1", "--minari", "lean"], 2, "a name and a version"),
        (["dagger", "CartPole-v1"], 2, "Missing option '--expert'"),
        (["dagger", "CartPole-v1", "--expert", "experts_here:lean", "--p", "2"], 2, "--p is 2"),
        (["dagger", "CartPol-v1", "--expert", "experts_here:lean"], 1, "did you mean"),
    ],
)
def test_wrong_usage(npgrad, here, args, status, words):
    if "lean.npz" in args:
        save_demonstrations(record(lambda obs: 0, "CartPole-v1", 1), here / "lean.npz")
        policy = make_policy(make_rollout("Acrobot-v1"))
        Agent(policy, np.zeros(policy.n_params)).save(here / "acrobot.npz")
    found, _, err = npgrad(*args)
    assert (found, words in err) == (status, True), err
    assert not (here / "runs").exists()
    assert "Traceback" not in err


@pytest.mark.parametrize("command", ["record", "clone", "dagger"])
def test_help(npgrad, command):
    status, out, _ = npgrad(command, "--help")
    assert status == 0
    assert "--seed" in out
