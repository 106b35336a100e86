import pytest

from npgrad.training import hints, train
from npgrad.training.hints import HINTS, Hints
from tests.training.quadratic import Quadratic

SICK = {
    "train/entropy_loss": (-1e-4, "no entropy left"),
    "train/signal_to_noise": (0.02, "signal-to-noise 0.02: a larger batch or a baseline may help"),
    "train/approx_kl": (3.0, "KL of a step 3: a smaller learning rate"),
    "train/explained_variance": (-0.5, "explained variance -0.5"),
    "train/effective_sample_share": (0.02, "2% of the samples"),
    "train/clipped_actions": (0.8, "80% of the actions"),
}
WELL = {
    "train/entropy_loss": -0.5,
    "train/signal_to_noise": 0.4,
    "train/approx_kl": 0.02,
    "train/explained_variance": 0.7,
    "train/effective_sample_share": 0.9,
    "train/clipped_actions": 0.1,
}


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(hints.time, "monotonic", lambda: now[0])
    return now


def test_every_hint_is_tested():
    assert {hint.key for hint in HINTS} == set(SICK) == set(WELL)


@pytest.mark.parametrize("key", SICK)
def test_a_sick_figure_is_told_of_once(clock, key):
    value, says = SICK[key]
    watch = Hints(window=10)
    said = [watch.look(WELL | {key: value}) for _ in range(100)]
    assert [i for i, s in enumerate(said) if s] == [9]  # not before the tenth iteration, and only once
    assert says in said[9]
    assert "mean of 10 iterations" in said[9]


def test_a_healthy_run_hears_nothing(clock):
    watch = Hints(window=3)
    assert not any(watch.look(WELL) for _ in range(50))
    assert not any(watch.look({"rollout/ep_rew_mean": 1.0, "train/approx_kl": None}) for _ in range(50))
    assert not any(watch.look(dict.fromkeys(WELL, float("nan"))) for _ in range(50))


def test_one_bad_iteration_is_no_illness(clock):
    watch = Hints(window=50)
    values = [0.02] * 49 + [2.0] + [0.02] * 100
    assert not any(watch.look({"train/approx_kl": v}) for v in values)


def test_the_cause_comes_first(clock):
    """Where the entropy goes at once, the gradient goes with it, and its mean is sick the sooner."""
    watch = Hints(window=10)
    said = [watch.look({"train/entropy_loss": h, "train/signal_to_noise": -1.0}) for h in [-0.69] + [-1e-9] * 30]
    assert [(i, s[:15]) for i, s in enumerate(said) if s] == [(10, "no entropy left")]


def test_not_more_than_one_in_a_while(clock):
    watch, told = Hints(window=2, every=60.0), []
    for second in range(400):
        clock[0] = second
        if watch.look({key: value for key, (value, _) in SICK.items()}):
            told.append(second)
    assert told == [1, 61, 121, 181, 241, 301]


def test_the_entropy_of_a_narrow_gaussian_is_no_illness(clock):
    watch = Hints(window=2)
    assert not any(watch.look({"train/entropy_loss": 3.0}) for _ in range(10))


def test_noise_alone_is_no_negative_signal(clock):
    assert "signal-to-noise 0: " in Hints(window=1).look({"train/signal_to_noise": -0.9})


def test_infinity_is_sick(clock):
    assert "KL of a step inf" in Hints(window=1).look({"train/approx_kl": float("inf")})


class Noisy(Quadratic):
    def step(self, state):
        new, metrics = super().step(state)
        metrics.values["train/signal_to_noise"] = 0.01
        return new, metrics


@pytest.mark.parametrize("progress", [True, False])
def test_the_loop_tells(capsys, progress):
    train(Noisy(), seed=0, total_timesteps=1500, progress=progress)
    err = capsys.readouterr().err
    assert err.count("hint: signal-to-noise 0.01: a larger batch") == progress
