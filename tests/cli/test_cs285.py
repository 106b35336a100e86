"""The table of CS285's flags names flags that there are."""

import re
from pathlib import Path

import pytest

from npgrad.cli.app import COMMANDS

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "cs285_hw2.md"
pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="installed without its pages")
THEIRS = (
    "--env_name --exp_name -n -rtg --use_reward_to_go --use_baseline -blr --baseline_learning_rate "
    "-bgs -b --baseline_gradient_steps --gae_lambda -na --normalize_advantages --batch_size -eb "
    "--eval_batch_size --discount -lr --learning_rate -l --n_layers -s --layer_size --ep_len --seed "
    "-ngpu -gpu_id --video_log_freq --scalar_log_freq"
)


def rows():
    text = PAGE.read_text(encoding="utf-8")
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return cells[2:]


def test_every_flag_of_theirs_has_a_row():
    named = " ".join(theirs for theirs, *_ in rows())
    for flag in THEIRS.split():
        assert re.search(rf"`{flag}[` ]", named), flag


def test_every_flag_of_ours_is_one(npgrad):
    shown = npgrad("train", "CartPole-v0", "--help")[1]
    flags = {flag for _, ours, _ in rows() for flag in re.findall(r"--[\w-]+", ours)} - {"--out"}
    assert len(flags) >= 15
    for flag in flags:
        assert re.search(rf"(?<![\w-]){flag}(?![\w-])", shown), flag
    assert {"watch"} <= set(COMMANDS)


def test_the_commands_of_the_page_run(npgrad):
    text = PAGE.read_text(encoding="utf-8")
    small = ["--n-episodes", 2, "--steps", 100, "--eval-episodes", 1, "--quiet"]
    for sums in ("--no-causality", "--causality"):
        for weights in ("--no-normalize-advantage", "--normalize-advantage"):
            args = ["--policy", "mlp", "--learning-rate", "5e-3", "--baseline", "none", sums, weights]
            assert all(str(arg) in text for arg in args)
            assert npgrad("train", "CartPole-v0", *args, *small)[0] == 0
    args = ["--policy", "mlp", "--gamma", 0.95, "--no-discount-states", "--baseline", "value", "--critic-epochs", 5]
    assert all(str(arg) in text for arg in args)
    assert npgrad("train", "CartPole-v0", *args, *small, "--gae-lambda", 0.97, "--normalize-advantage")[0] == 0
