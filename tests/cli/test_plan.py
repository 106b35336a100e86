"""What a run is to be: where settings come from, what beats what, and what contradicts what."""

import json
import sys
from dataclasses import fields

import pytest

from npgrad.algorithms import presets
from npgrad.algorithms.registry import ALGORITHMS
from npgrad.cli.options import flag_of
from npgrad.cli.plan import NO_END, new_plan
from npgrad.deploy import load_agent
from npgrad.errors import InvalidInput
from npgrad.training.settings import PolicySettings, TrainSettings

SHORT = ["--steps", "300", "--stop-at", "none", "--eval-every", "0", "--eval-episodes", "2", "--quiet"]


def config(path):
    return json.loads((path / "config.json").read_text())


@pytest.mark.parametrize("algo", ALGORITHMS)
def test_no_two_settings_share_a_name_or_a_flag(algo):
    kinds = (TrainSettings, PolicySettings, ALGORITHMS[algo].Settings)
    names = [f.name for kind in kinds for f in fields(kind)]
    flags = [flag_of(f) for kind in kinds for f in fields(kind)]
    assert len(set(names)) == len(names)
    assert len({*flags, "--seeds", "--config", "--set", "--preset", "--debug", "--help"}) == len(flags) + 6


@pytest.mark.parametrize("name", ["settings.toml", "settings.json"])
def test_a_flag_beats_set_beats_the_file_beats_the_preset(npgrad, tmp_path, monkeypatch, name):
    known = {"gamma": 0.5, "n_episodes": 3, "learning_rate": 0.5, "eval_episodes": 2, "hidden": (4,), "policy": "mlp"}
    monkeypatch.setattr(presets, "presets", lambda: {"CartPole-v1": {"reinforce": known}})
    values = {"n_episodes": 4, "learning-rate": 0.25, "steps": 300, "hidden": [5, 6]}
    text = "\n".join(f"{k} = {v}" for k, v in values.items()) if name.endswith("toml") else json.dumps(values)
    (tmp_path / name).write_text(text)
    args = ["--config", name, "--set", "learning_rate=0.125", "--set", "causality=no", "--optimizer", "sgd"]
    assert npgrad("train", "CartPole-v1", "--out", "run", *args)[0] == 0
    found = config(tmp_path / "run")
    hyper, options = found["hyperparameters"], found["policy_options"]
    assert (hyper["gamma"], hyper["n_episodes"], hyper["learning_rate"], hyper["causality"]) == (0.5, 4, 0.125, False)
    assert (options["hidden"], found["total_timesteps"], found["eval_episodes"]) == ([5, 6], 300, 2)
    assert load_agent(tmp_path / "run" / "agent.npz").policy.function.hidden == (5, 6)

    assert npgrad("train", "CartPole-v1", "--no-preset", *SHORT, "--out", "bare")[0] == 0
    assert config(tmp_path / "bare")["hyperparameters"]["gamma"] == 1.0
    assert config(tmp_path / "bare")["policy"] == "linear"


@pytest.mark.parametrize(
    ("algo", "preset", "in_file", "said", "expected"),
    [
        ("ppo", {"n_steps": 128}, {}, {"n_episodes": 9}, (None, 9)),
        ("ppo", {"n_episodes": 9}, {}, {"n_steps": 128}, (128, None)),
        ("ppo", {}, {}, {"n_episodes": 9}, (None, 9)),  # against the default
        ("npg", {}, {}, {"n_steps": 128}, (128, None)),
        ("ppo", {"n_steps": 128}, {"n_episodes": 9}, {}, (None, 9)),
        ("ppo", {}, {"n_steps": 128, "n_episodes": None}, {"n_episodes": 9}, (None, 9)),  # as config.json has them
        ("ppo", {"n_steps": 128}, {}, {"n_episodes": None}, (128, None)),
        ("ppo", {}, {"n_steps": 128}, {"n_episodes": None}, (128, None)),
        ("reinforce", {}, {}, {"n_episodes": 9}, (None, 9)),  # it has no n_steps
        ("ppo", {}, {}, {"n_steps": 128, "n_episodes": 9}, "n_steps is 128 and n_episodes 9"),
        ("ppo", {}, {"n_steps": 128, "n_episodes": 9}, {}, "n_steps is 128 and n_episodes 9"),
    ],
)
def test_episodes_in_place_of_steps_and_the_reverse(algo, preset, in_file, said, expected):
    def plan():
        return new_plan({"env": "CartPole-v1", **in_file, **said}, preset, ALGORITHMS[algo].Settings, said)

    if isinstance(expected, str):
        with pytest.raises(InvalidInput, match=expected):
            plan()
        return
    assert (plan().hyper.get("n_steps"), plan().hyper["n_episodes"]) == expected
    assert all(name in preset and plan().hyper[name] for name in plan().from_preset)


def test_a_preset_is_for_its_policy(npgrad, tmp_path, monkeypatch):
    known = {"policy": "linear", "learning_rate": 0.5, "total_timesteps": 300, "eval_episodes": 2, "window": 2}
    monkeypatch.setattr(presets, "presets", lambda: {"CartPole-v1": {"reinforce": known}})
    for policy, expected in (("linear", (0.5, 2)), ("mlp", (0.02, 1))):
        npgrad("train", "CartPole-v1", "--policy", policy, "--out", policy, "--quiet")
        found = config(tmp_path / policy)
        assert (found["total_timesteps"], found["eval_episodes"]) == (300, 2)
        assert (found["hyperparameters"]["learning_rate"], found["policy_options"]["window"]) == expected
    out = " ".join(npgrad("train", "CartPole-v1", "--policy", "mlp", "--help")[1].split())
    assert "step size α [default: 0.02]" in out


def test_the_configuration_of_a_run_makes_another(npgrad, tmp_path):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "run", "--policy", "mlp", "--hidden", "8", "--seed", 3)
    assert npgrad("train", "--config", "run/config.json", "--out", "again", "--quiet")[0] == 0
    assert npgrad("train", "--config", "run", "--out", "folder", "--quiet")[0] == 0  # or its folder
    agents = [(tmp_path / name / "agent.npz").read_bytes() for name in ("run", "again", "folder")]
    assert agents[0] == agents[1] == agents[2]


def test_the_algorithm_of_a_file_has_its_own_settings(npgrad, tmp_path):
    (tmp_path / "a.toml").write_text('algo = "a2c"\nenv = "CartPole-v1"\ncritic = "linear"\n')
    out = npgrad("train", "--config", "a.toml", "--help")[1]
    assert "Settings of a2c" in out
    assert "Settings of a2c" in npgrad("train", "CartPole-v1", "--set", "algo=a2c", "--help")[1]
    assert npgrad("train", "--config", "a.toml", "--steps", 100, "--out", "run", "--quiet")[0] == 0
    assert config(tmp_path / "run")["hyperparameters"]["critic"] == "linear"


def test_policy_options_reach_the_policy_and_the_agent(npgrad, tmp_path):
    args = ["--policy", "mlp", "--hidden", "7", "--activation", "relu", "--window", 2, "--std", "state"]
    args += ["--action-map", "tanh", "--log-std-init", -0.5, "--n-episodes", 2]
    npgrad("train", "Pendulum-v1", *SHORT, *args, "--out", "run")
    policy = load_agent(tmp_path / "run" / "agent.npz").policy
    assert (
        (policy.function.window, policy.function.inner.hidden) == (2, (7,))
        if hasattr(policy.function, "inner")
        else True
    )
    assert type(policy.action_map).__name__ == "Tanh"
    assert policy.n_memory > 0  # the window
    assert npgrad("eval", "run", "--episodes", 2)[0] == 0


def test_arguments_for_the_environment(npgrad, tmp_path):
    args = [
        *SHORT,
        "--n-episodes",
        4,
        "--env-kwargs",
        "max_episode_steps=7",
        "--env-kwargs",
        "sutton_barto_reward=true",
    ]
    assert npgrad("train", "CartPole-v1", *args, "--out", "run")[0] == 0
    assert config(tmp_path / "run")["env_kwargs"] == {"max_episode_steps": 7, "sutton_barto_reward": True}
    lengths = [int(row.split(",")[1]) for row in (tmp_path / "run" / "monitor.csv").read_text().splitlines()[2:]]
    assert max(lengths) == 7
    summary = json.loads(npgrad("eval", "run", "--episodes", 5, "--json")[1])  # in the same environment
    assert summary["mean_length"] <= 7
    assert summary["mean_return"] <= 0
    assert npgrad("train", "--resume", "run", "--steps", 500, "--quiet")[0] == 0


def test_by_the_clock(npgrad, tmp_path):
    status, out, _ = npgrad("train", "CartPole-v1", "--minutes", 0.002, "--stop-at", "none", "--out", "run")
    assert status == 0
    assert "the 0.002 minutes are over" in out
    assert config(tmp_path / "run")["total_timesteps"] == NO_END
    assert config(tmp_path / "run")["eval_every"] == 1000  # of the preset
    assert npgrad("train", "CartPole-v1", "--minutes", 5, *SHORT, "--out", "steps")[0] == 0
    assert config(tmp_path / "steps")["total_timesteps"] == 300  # whichever comes first


def test_a_callback_of_ones_own(npgrad, tmp_path):
    (tmp_path / "mine.py").write_text("def stop(seen):\n    return seen.state.iteration < 2\n")
    _, out, _ = npgrad(
        "train", "CartPole-v1", *SHORT[:-1], "--n-episodes", 2, "--callback", "mine:stop", "--out", "run"
    )
    sys.modules.pop("mine", None)
    assert "stopped by mine:stop" in out
    assert "callback" not in config(tmp_path / "run")
    assert len((tmp_path / "run" / "progress.csv").read_text().splitlines()) == 3


def test_tensorboard(npgrad, tmp_path):
    pytest.importorskip("tensorboardX")
    assert npgrad("train", "CartPole-v1", *SHORT, "--tensorboard", "--out", "run")[0] == 0
    (events,) = (tmp_path / "run" / "tensorboard").iterdir()
    assert b"rollout/ep_rew_mean" in events.read_bytes()


def test_a_schedule_falls_over_the_run(npgrad, tmp_path):
    for steps in (600, 1200):
        args = [*SHORT[2:], "--steps", steps, "--n-episodes", 2, "--learning-rate-schedule", "linear"]
        npgrad("train", "CartPole-v1", *args, "--out", f"run{steps}", "--learning-rate", 0.1)
        lines = [line.split(",") for line in (tmp_path / f"run{steps}" / "progress.csv").read_text().splitlines()]
        column = {name: i for i, name in enumerate(lines[0])}
        t = [0, *(int(row[column["time/total_timesteps"]]) for row in lines[1:-1])]
        rates = [float(row[column["train/learning_rate"]]) for row in lines[1:]]
        assert rates == pytest.approx([0.1 * (1 - x / steps) for x in t])


WRONG = [
    (["--seed", "1", "--seeds", "0..3"], "--seed is 1, and --seeds is 0..3; drop one"),
    (["--seeds", "3..1"], "names no seed"),
    (["--seeds", "1,1"], "names a seed twice"),
    (["--seeds", "few"], "expected something like 0..9"),
    (["--hidden", "8"], "--hidden is 8, but a linear policy has none; add --policy mlp"),
    (["--policy", "recurrent", "--activation", "relu"], "--activation is relu, but a recurrent policy has none"),
    (["--std", "full"], "--std is full, but CartPole-v1 takes Discrete"),
    (["--action-map", "tanh"], "is no Gaussian's; drop it"),
    (["--stop-at", "400", "--eval-every", "0"], "--stop-at is 400, but with --eval-every 0"),
    (
        ["--minutes", "1", "--learning-rate-schedule", "linear"],
        "--learning-rate-schedule is linear, but with --minutes",
    ),
    (["--minutes", "-1"], "--minutes is -1"),
    (["--schedule-steps", "10"], "--schedule-steps is 10, but a constant learning rate"),
    (["--normalize-rewards", "--reward-scale", "3"], "--reward-scale is 3.0, but normalize_rewards"),
    (["--learning-rate", "0.1", "--set", "learning_rate=0.2"], "--set says learning_rate=0.2, but a flag says 0.1"),
    (["--set", "learning_rat=0.2"], "unknown setting 'learning_rat'; did you mean 'learning_rate'"),
    (["--set", "gamma"], "expected NAME=VALUE"),
    (["--set", "gamma=0.5", "--set", "gamma=0.6"], "names gamma twice"),
    (["--set", "gamma=high"], "--gamma is 'high': 'high' is no number"),
    (["--set", "causality=perhaps"], "--causality is 'perhaps', expected true or false"),
    (["--set", "optimizer=adm"], "did you mean 'adam'"),
    (["--env-kwargs", "gravity"], "'gravity' is no KEY=VALUE"),
    (["--env-kwargs", "gravty=3"], "gravty"),
    (["--engine", "compiled", "--env-kwargs", "sutton_barto_reward=true"], "takes no argument but max_episode_steps"),
    (["--n-episodes", "1"], "--n-episodes is 1, but baseline leave-one-out is made of the other episodes; give 2"),
    (["--critic-hidden", "3"], "--critic-hidden is 3, but baseline leave-one-out has no critic; add --baseline value"),
    (["--critic", "linear"], "--critic is linear, but baseline leave-one-out has no critic"),
    (
        ["--baseline", "value", "--critic", "linear", "--critic-epochs", "3"],
        "a linear critic has none; add --critic mlp",
    ),
    (["--gae-lambda", "0.9"], "give --baseline value and --causality, or no gae_lambda"),
    (["--baseline", "optimal"], "--baseline is optimal, the best for the whole return; give --no-causality with it"),
    (["--callback", "nothing:here"], "No module named 'nothing'"),
    (["--config", "none.toml"], "--config is none.toml, which cannot be read"),
    (["--config", "broken.toml"], "cannot be read as TOML or JSON"),
    (["--config", "list.json"], "holds a list, expected names and values"),
    (["--config", "group.json"], "hyperparameters in group.json is [1], expected names and values"),
    (["--config", "other.json"], "unknown setting in other.json 'learning_rte'; did you mean 'learning_rate'"),
    (["--config", "typed.json"], "--n-episodes is [3]: '[3]' is no number"),
]


@pytest.mark.parametrize(("args", "says"), WRONG, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_wrong_usage(npgrad, tmp_path, args, says):
    (tmp_path / "broken.toml").write_text("gamma = = 3")
    (tmp_path / "list.json").write_text("[1, 2]")
    (tmp_path / "group.json").write_text('{"hyperparameters": [1]}')
    (tmp_path / "other.json").write_text('{"learning_rte": 0.1}')
    (tmp_path / "typed.json").write_text('{"n_episodes": [3]}')
    before = sorted(tmp_path.rglob("*"))
    status, out, err = npgrad("train", "CartPole-v1", *args)
    assert status == 2
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
    assert sorted(tmp_path.rglob("*")) == before


def test_a_preset_that_does_not_fit_a_changed_environment(npgrad, monkeypatch):
    known = {"action_map": "rescale", "policy": "linear", "gamma": 0.9}
    monkeypatch.setattr(presets, "presets", lambda: {"Pendulum-v1": {"reinforce": known}})
    import gymnasium

    class Changed(gymnasium.ActionWrapper):
        def __init__(self, env):
            super().__init__(env)
            self.action_space = gymnasium.spaces.Box(-float("inf"), float("inf"), (1,))

        def action(self, action):
            return action

    original = gymnasium.make
    monkeypatch.setattr(gymnasium, "make", lambda *args, **kwargs: Changed(original(*args, **kwargs)))
    status, _, err = npgrad("train", "Pendulum-v1", "--engine", "gymnasium", *SHORT)
    assert status == 2
    said = " ".join(err.split())
    assert "are not finite" in said
    assert "the preset of Pendulum-v1 gave action_map; --no-preset leaves it out" in said
    assert npgrad("train", "Pendulum-v1", "--engine", "gymnasium", *SHORT, "--no-preset", "--n-episodes", 2)[0] == 0


def test_a_preset_that_contradicts_a_flag(npgrad, monkeypatch):
    known = {"baseline": "value", "gae_lambda": 0.9, "env_kwargs": {"sutton_barto_reward": True}, "n_episodes": 4}
    monkeypatch.setattr(presets, "presets", lambda: {"CartPole-v1": {"reinforce": known}})
    for args, says in (
        (["--no-causality"], "(the preset of CartPole-v1 gave baseline, gae_lambda; --no-preset leaves it out)"),
        (["--baseline", "none"], "(the preset of CartPole-v1 gave gae_lambda; --no-preset leaves it out)"),
        (["--engine", "compiled"], "(the preset of CartPole-v1 gave env_kwargs; --no-preset leaves it out)"),
    ):
        status, _, err = npgrad("train", "CartPole-v1", *args)
        assert status == 2
        assert says in " ".join(err.split())


def test_an_agent_that_does_not_fit_a_changed_environment(npgrad, monkeypatch):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "run")
    import gymnasium

    class Changed(gymnasium.ObservationWrapper):
        def __init__(self, env):
            super().__init__(env)
            self.observation_space = gymnasium.spaces.Box(-9, 9, (5,))

        def observation(self, obs):
            return [*obs, 0.0]

    original = gymnasium.make
    monkeypatch.setattr(gymnasium, "make", lambda *args, **kwargs: Changed(original(*args, **kwargs)))
    status, _, err = npgrad("eval", "run", "--episodes", 2)
    assert status == 1
    assert "observation_space of CartPole-v1 is Box" in err
    assert "but the agent's is" in err
    status, _, err = npgrad("train", "--resume", "run", "--steps", 600, "--engine", "auto")
    assert status == 0  # the compiled twin is what it was


def test_a_resumed_run_in_a_changed_environment(npgrad, monkeypatch):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "run", "--engine", "gymnasium", "--n-episodes", 2)
    import gymnasium

    class Changed(gymnasium.ObservationWrapper):
        def __init__(self, env):
            super().__init__(env)
            self.observation_space = gymnasium.spaces.Box(-9, 9, (5,))

        def observation(self, obs):
            return [*obs, 0.0]

    original = gymnasium.make
    monkeypatch.setattr(gymnasium, "make", lambda *args, **kwargs: Changed(original(*args, **kwargs)))
    status, _, err = npgrad("train", "--resume", "run", "--steps", 600)
    assert status == 2
    assert "CartPole-v1 has changed since the run in run began" in " ".join(err.split())


def test_resume_leaves_no_room_for_other_plans(npgrad):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "run")
    for args, says in (
        (["--seeds", "0..2"], "--seeds and --resume exclude each other"),
        (["--config", "run"], "--config and --resume exclude each other"),
        (["--init-from", "run"], "--init-from is run, but the run in run has None"),
        (["--hidden", "3"], "--hidden is 3, but the run in run has 64,64"),
        (["--set", "gamma=0.25"], "--gamma is 0.25, but the run in run has 0.99"),
    ):
        status, _, err = npgrad("train", "--resume", "run", *args)
        assert status == 2
        assert says in " ".join(err.split())
