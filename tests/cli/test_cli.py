import json
import re
import shlex
import signal
import subprocess
import sys
import time
import warnings

import pytest

from npgrad.algorithms.registry import ALGORITHMS
from npgrad.cli import main
from npgrad.cli.app import COMMANDS
from npgrad.cli.options import flag_of
from npgrad.deploy import load_agent

SHORT = ["--steps", "400", "--stop-at", "none", "--eval-every", "0", "--eval-episodes", "3"]


def config(path):
    return json.loads((path / "config.json").read_text())


def test_train_then_eval(npgrad, tmp_path):
    status, out, err = npgrad("train", "CartPole-v1", *SHORT)
    assert status == 0
    for line in err.splitlines():  # a slow or new machine shows progress, and nothing else
        assert "steps/s" in line or line.startswith("compiling")
    path = tmp_path / "runs" / "CartPole-v1-reinforce-seed0"
    lines = out.splitlines()
    assert lines[0].startswith("CartPole-v1: compiled twin")
    assert re.match(r"return +\d.*95% interval .* to .*3 greedy episodes", lines[1])
    assert lines[-1].endswith("npgrad eval runs/CartPole-v1-reinforce-seed0")
    assert load_agent(path / "agent.npz").info["env_id"] == "CartPole-v1"

    status, out, _ = npgrad("eval", path, "--episodes", 5, "--json")
    assert status == 0
    summary = json.loads(out)
    keys = "mean_return std_return median_return iqm_return ci95 mean_length episodes deterministic"
    assert list(summary) == keys.split()
    assert summary["episodes"] == 5
    assert summary["deterministic"] is True
    assert npgrad("eval", path, "--episodes", 5, "--json")[1] == out
    assert npgrad("eval", path / "agent.npz", "--episodes", 5, "--json")[1] == out
    assert json.loads(npgrad("eval", path, "--episodes", 5, "--json", "--seed", 1)[1]) != summary
    assert json.loads(npgrad("eval", path, "--episodes", 5, "--json", "--stochastic")[1])["deterministic"] is False
    status, out, _ = npgrad("eval", path, "--episodes", 5)
    assert status == 0
    assert f"return {summary['mean_return']:.1f} ± " in out
    assert len(out.splitlines()) == 1


def test_small_returns_have_more_digits(npgrad):
    """A lake crossed one time in ten is neither one crossed never nor one in five."""
    out = npgrad("train", "FrozenLake-v1", *SHORT, "--no-preset", "--eval-episodes", 20, "--out", "run")[1]
    (mean,) = re.findall(r"^return +([\d.]+)  \(95% interval 0\.\d{3} to 0\.\d{3}; 20 greedy", out, re.MULTILINE)
    assert mean == f"{load_agent('run/agent.npz').info['mean_return']:.3f}"
    assert f"score     {mean}  (95% interval 0." in npgrad("info", "run")[1]
    assert re.search(r"return 0\.\d{3} ± 0\.\d{3}, 95% interval 0\.\d{3} to", npgrad("eval", "run")[1])


def test_quiet_is_quiet(npgrad):
    assert npgrad("train", "CartPole-v1", *SHORT, "--quiet") == (0, "", "")


def test_same_seed_same_agent_and_another_folder(npgrad, tmp_path):
    for seed in (0, 0, 1):
        npgrad("train", "CartPole-v1", *SHORT, "--seed", seed)
    first, again, other = (
        (tmp_path / "runs" / f"CartPole-v1-reinforce-{name}" / "agent.npz").read_bytes()
        for name in ("seed0", "seed0-2", "seed1")
    )
    assert first == again != other


def test_threads_change_no_bit(npgrad, tmp_path):
    for threads in (1, 2):
        several = ["--threads", threads, "--n-envs", 2, "--n-episodes", 24, "--policy", "mlp"]
        npgrad("train", "CartPole-v1", *SHORT, *several, "--steps", 1500, "--out", f"run{threads}")
    assert config(tmp_path / "run2")["threads"] == 2
    for name in ("agent.npz", "last_agent.npz", "learning_curve.svg"):
        assert (tmp_path / "run1" / name).read_bytes() == (tmp_path / "run2" / name).read_bytes()


def test_flag_before_preset_before_default(npgrad, tmp_path, monkeypatch):
    from npgrad.algorithms import presets

    known = {"CartPole-v1": {"reinforce": {"learning_rate": 0.125, "n_episodes": 3, "eval_episodes": 2}}}
    monkeypatch.setattr(presets, "presets", lambda: known)
    npgrad("train", "CartPole-v1", "--out", "run", "--n-episodes", 4, "--steps", "4e2", "--no-causality")
    found = config(tmp_path / "run")
    assert found["hyperparameters"]["learning_rate"] == 0.125
    assert found["hyperparameters"]["n_episodes"] == 4
    assert found["hyperparameters"]["causality"] is False
    assert found["hyperparameters"]["baseline"] == ALGORITHMS["reinforce"].Settings().baseline
    assert found["eval_episodes"] == 2
    assert found["total_timesteps"] == 400
    assert found["eval_every"] == 20


def test_resume_goes_on_with_the_settings_of_the_run(npgrad, tmp_path):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "run", "--learning-rate", 0.05, "--policy", "mlp")
    before = config(tmp_path / "run")
    assert npgrad("train", "--resume", "run", "--steps", 900)[0] == 0
    assert config(tmp_path / "run") == before | {"total_timesteps": 900}
    npgrad("train", "CartPole-v1", *SHORT, "--steps", 900, "--out", "whole", "--learning-rate", 0.05, "--policy", "mlp")
    last = [(tmp_path / name / "last_agent.npz").read_bytes() for name in ("run", "whole")]
    assert last[0] == last[1]


def test_the_folder_of_another_is_no_target(npgrad, tmp_path):
    npgrad("train", "CartPole-v1", *SHORT, "--out", "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    status, _, err = npgrad("train", "CartPole-v1", *SHORT, "--out", "run")
    assert status == 1
    assert "--resume run" in err
    assert {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()} == before


USAGE = [
    (["train"], "name an environment"),
    (["trian"], "did you mean 'train'"),
    (["train", "CartPol-v1"], "'CartPole-v1'"),
    (["train", "CartPole-v1", "--algo", "reinforc"], "did you mean 'reinforce'"),
    (["train", "CartPole-v1", "--policy", "linaer"], "did you mean 'linear'"),
    (["train", "CartPole-v1", "--baseline", "leave-one-ou"], "did you mean 'leave-one-out'"),
    (["train", "CartPole-v1", "--learning-rat", "1"], "--learning-rate"),
    (["train", "CartPole-v1", "--algo", "ars", "--no-causality"], "ars has no --no-causality; add --algo reinforce"),
    (["train", "CartPole-v1", "--learning-rate", "-1"], "--learning-rate is -1"),
    (["train", "CartPole-v1", "--learning-rate", "nan"], "'nan' is no number"),
    (["train", "CartPole-v1", "--stop-at", "nan"], "'nan' is no number"),
    (["train", "CartPole-v1", "--minutes", "inf"], "--minutes is inf, expected more than 0, and an end"),
    (["train", "CartPole-v1", "--learning-rate", "fast"], "'fast' is no number"),
    (["train", "CartPole-v1", "--gamma", "1.5"], "--gamma is 1.5, expected a number in [0, 1]"),
    (["train", "CartPole-v1", "--steps", "0"], "0 is not allowed, expected 1 or more"),
    (["train", "CartPole-v1", "--steps", "-5"], "expected 1 or more"),
    (["train", "CartPole-v1", "--steps", "1.5"], "no whole number"),
    (["train", "CartPole-v1", "--seed", "-1"], "expected 0 or more"),
    (["train", "CartPole-v1", "--seed", str(2**64)], f"--seed is {2**64}, expected 0 <= seed < 2**64"),
    (["train", "CartPole-v1", "--engine", "warp"], "known are 'auto', 'compiled', 'gymnasium'"),
    (["train", "InvertedPendulum-v5", "--engine", "compiled"], "does not exist"),
    (["train", "CartPole-v1", "--out", "a", "--resume", "run"], "exclude each other"),
    (["train", "--resume", "run", "--gamma", "0.5"], "--gamma is 0.5, but the run in run has 0.9"),
    (["train", "Acrobot-v1", "--resume", "run"], "env is Acrobot-v1, but the run in run has CartPole-v1"),
    (["eval"], "Missing argument"),
    (["eval", "nowhere"], "does not exist"),
    (["eval", "run", "--episodes", "0"], "expected 1 or more"),
    (["eval", "run", "--env", "Acrobot-v1"], "observation_space of Acrobot-v1"),
    (["eval", "run", "--env", "CartPol-v1"], "CartPole-v1"),
    (["list", "algoritms"], "did you mean 'algorithms'"),
]


@pytest.mark.parametrize(("args", "says"), USAGE, ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_wrong_usage(npgrad, tmp_path, args, says):
    if "run" in args:
        npgrad("train", "CartPole-v1", *SHORT, "--out", "run", "--gamma", 0.9)
        (tmp_path / "runs").mkdir()
    before = sorted(tmp_path.rglob("*"))
    status, out, err = npgrad(*args)
    assert status == 2
    assert out == ""
    assert says in err
    assert len(err.splitlines()) <= 12
    assert "Traceback" not in err
    assert sorted(tmp_path.rglob("*")) == before  # nothing is left lying about


def test_failures_have_one_line(npgrad, tmp_path):
    (tmp_path / "foreign.npz").write_bytes(b"PK\x03\x04 not an agent")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    for args, says in (
        (["eval", "foreign.npz"], "is no agent file"),
        (["eval", "empty"], "it is no run folder"),
        (["train", "--resume", "empty"], "is no run folder"),
        (["train", "CartPole-v1", "--out", "file/run"], "cannot write to file/run (Not a directory)"),
    ):
        status, _, err = npgrad(*args)
        assert status == 1, args
        assert says in err
        assert len(err.splitlines()) == 1


ENVIRONMENTS = '''
import gymnasium, numpy as np
from gymnasium.spaces import Box, Discrete, Text

class Tiny(gymnasium.Env):
    """Five steps; what goes wrong does so at the third step of the 40th episode."""
    observation_space, action_space = Box(-1, 1, (3,), np.float32), Discrete(2)
    episodes = 0
    def __init__(self, wrong=""):
        self.wrong = wrong
        if wrong == "space":
            self.observation_space = Text(5)
    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        Tiny.episodes += 1
        return self.np_random.uniform(-1, 1, 3).astype(np.float32), {}
    def step(self, action):
        self.t += 1
        obs, reward = self.np_random.uniform(-1, 1, 3).astype(np.float32), float(action)
        if Tiny.episodes >= 40 and self.t == 3:
            if self.wrong == "raises":
                raise RuntimeError("the gear broke")
            if self.wrong == "reward":
                reward = float("nan")
            if self.wrong == "observation":
                obs[1] = np.inf
        return obs, reward, self.t == 5, False, {}

class Remembering(Tiny):
    """Pays how often it was reset."""
    resets = 0
    def reset(self, *, seed=None, options=None):
        self.resets += 1
        return super().reset(seed=seed)
    def step(self, action):
        obs, _, *over = super().step(action)
        return obs, float(self.resets), *over

for name in ("", "raises", "reward", "observation", "space"):
    gymnasium.register("Tiny" + name + "-v0", entry_point=Tiny, kwargs={"wrong": name})
gymnasium.register("Remembering-v0", entry_point=Remembering)
'''


@pytest.fixture
def tiny(npgrad, tmp_path, monkeypatch):
    (tmp_path / "tiny_envs.py").write_text(ENVIRONMENTS)
    import gymnasium

    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    yield npgrad
    sys.modules.pop("tiny_envs", None)


def test_an_environment_of_ones_own_beside_the_user(tiny, tmp_path):
    status, out, _ = tiny("train", "tiny_envs:Tiny-v0", *SHORT)
    assert status == 0
    assert out.startswith("tiny_envs:Tiny-v0: Gymnasium")
    (path,) = (tmp_path / "runs").iterdir()
    assert path.name == "tiny_envs-Tiny-v0-reinforce-seed0"
    assert tiny("eval", path, "--episodes", 3)[0] == 0


def test_an_environment_that_remembers_is_evaluated_anew(tiny):
    """Five steps are paid 1 each where every episode has an environment of its own."""
    for fresh in ([], ["--fresh"]):
        assert tiny("train", "tiny_envs:Remembering-v0", *SHORT, *fresh, "--out", f"run{len(fresh)}")[0] == 0
    means = {
        args: json.loads(tiny("eval", *args, "--episodes", 20, "--json")[1])["mean_return"]
        for args in (("run0",), ("run0", "--fresh"), ("run1",), ("run1", "--env", "tiny_envs:Remembering-v0"))
    }
    assert means["run0", "--fresh"] == means["run1",] == 5.0
    assert means["run0",] > 5.0
    assert means["run1", "--env", "tiny_envs:Remembering-v0"] > 5.0


@pytest.mark.parametrize("wrong", ["raises", "reward", "observation"])
def test_an_environment_that_breaks_loses_nothing(tiny, tmp_path, wrong):
    says = {"raises": "the gear broke", "reward": "nan", "observation": "inf"}[wrong]
    status, _, err = tiny("train", f"tiny_envs:Tiny{wrong}-v0", *SHORT, "--out", "run")
    assert status == 1
    (line,) = err.splitlines()
    assert says in line
    assert re.search(r"in iteration \d, after timestep \d+", line)
    assert "the last good agent is in run" in line
    assert load_agent(tmp_path / "run" / "agent.npz").info["timesteps"] > 0
    assert len((tmp_path / "run" / "progress.csv").read_text().splitlines()) > 1


def test_a_space_that_is_not_supported(tiny):
    status, _, err = tiny("train", "tiny_envs:Tinyspace-v0", *SHORT)
    assert status == 2
    assert "Text" in err


def test_debug_shows_the_traceback(tiny):
    from npgrad.errors import EnvironmentFailure

    with pytest.raises(EnvironmentFailure):
        main(["train", "tiny_envs:Tinyraises-v0", *SHORT, "--debug"])


def test_ctrl_c_saves_and_exits_with_success(tmp_path):
    command = [sys.executable, "-m", "npgrad", "train", "CartPole-v1", "--steps", "1e9", "--stop-at", "none"]
    command += ["--eval-every", "0", "--checkpoint-every", "0", "--out", "run"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not (tmp_path / "run" / "checkpoint.npz").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert process.returncode == 0
    assert "stopping after this iteration and saving (Ctrl-C again stops at once)\n" in err
    assert "stopped by you; go on with: npgrad train --resume run" in out
    assert "no evaluation yet" in out
    rows = (tmp_path / "run" / "progress.csv").read_text().splitlines()
    done = load_agent(tmp_path / "run" / "agent.npz").info["timesteps"]
    assert rows[-1].split(",")[1] == str(done)


def test_ctrl_c_twice(npgrad, monkeypatch):
    from npgrad.training import loop

    def abort(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "Running", abort)
    status, _, err = npgrad("train", "CartPole-v1", *SHORT)
    assert status == 130
    assert err.splitlines()[-1].startswith("stopped at once")


def test_help_has_every_setting(npgrad):
    status, out, _ = npgrad("train", "CartPole-v1", "--help")
    assert status == 0
    for field in ALGORITHMS["reinforce"].Settings.__dataclass_fields__.values():
        assert flag_of(field) + " " in out
        assert field.metadata["help"].split()[0] in out
    assert "[CartPole-v1: " in out  # values of the preset
    assert "Ctrl-C" in out


@pytest.mark.parametrize("what", ["algorithms", "policies", "baselines", "environments"])
def test_lists(npgrad, what):
    expected = {
        "algorithms": "reinforce",
        "policies": "mlp",
        "baselines": "leave-one-out",
        "environments": "CartPole-v1",
    }
    status, out, _ = npgrad("list", what)
    assert status == 0
    assert expected[what] in out
    everything = npgrad("list")[1]
    assert all(line.strip() in everything for line in out.splitlines())


def python(script, *args, **options):
    return subprocess.run([sys.executable, "-c", script, *args], capture_output=True, text=True, check=True, **options)


LOADED = """
import sys, npgrad.cli
try:
    npgrad.cli.main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0
print(*sorted({m.split('.')[0] for m in sys.modules}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "args",
    [["--help"], ["train", "CartPole-v1", "-h"], *([name, "--help"] for name in COMMANDS)],
)
def test_help_imports_nothing_heavy(args):
    loaded = python(LOADED, *args).stderr.split()
    assert "click" in loaded
    assert not {"numpy", "numba", "gymnasium", "tqdm", "scipy"} & set(loaded)


def test_the_compiled_twin_needs_no_gymnasium(tmp_path):
    loaded = python(LOADED, "train", "CartPole-v1", *SHORT, "--quiet", cwd=tmp_path).stderr.split()
    assert "numba" in loaded
    assert "gymnasium" not in loaded


def test_a_reader_that_has_gone(tmp_path):
    command = f"{sys.executable} -m npgrad list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines() == ["algorithms"]
    assert done.stderr == ""


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_streams_that_are_closed_lose_no_run(closed, tmp_path):
    command = f"{sys.executable} -m npgrad train CartPole-v1 {' '.join(SHORT)} --out run {closed}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert load_agent(tmp_path / "run" / "agent.npz").info["timesteps"] > 0


def test_what_to_do_next_can_be_pasted(npgrad):
    out = npgrad("train", "CartPole-v1", *SHORT, "--out", "one run")[1]
    (line,) = (line for line in out.splitlines() if line.startswith("evaluate"))
    assert npgrad(*shlex.split(line)[2:], "--episodes", 2)[0] == 0


def test_warnings_are_one_line(npgrad, monkeypatch):
    def said():
        return warnings.formatwarning("\x1b[33mWARN: odd\x1b[0m", UserWarning, "file.py", 3, "code")

    shown = []
    monkeypatch.setattr("npgrad.cli.evaluate.evaluate.callback", lambda **_: shown.append(said()))
    before = said()
    npgrad("eval", ".")
    npgrad("eval", ".", "--debug")
    assert shown == ["Warning: odd\n", before]
    assert said() == before
