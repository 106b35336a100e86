"""Exported C against the library: the same noise, actions and log-probabilities; and what it makes of bad input."""

import platform
import shutil
import subprocess

import numpy as np
import pytest

from npgrad import noise
from npgrad.deploy import Agent
from npgrad.deploy.export import export_c
from npgrad.deploy.export.c_text import table
from npgrad.errors import InvalidInput
from npgrad.functions import Constant
from npgrad.policies import ComposedPolicy, make_policy
from npgrad.spaces import Box, Dict, Discrete
from tests.deploy.export.compiled import Compiled, gcc
from tests.deploy.export.expected import SEED, expected, mapped
from tests.deploy.zoo import POLICIES, REALS, TWO, agent_of

pytestmark = pytest.mark.skipif(shutil.which("gcc") is None, reason="there is no gcc")

IN_FLOAT = ["normalised softmax", "relu, shared σ, clip", "state σ, tanh", "coins", "mixture of kinds"]
EVERY = [(name, "double", 1e-12) for name in POLICIES] + [(name, "float", 1e-6) for name in IN_FLOAT]
OK, NONFINITE, BAD_ACTION, NO_ACTION = range(4)


@pytest.mark.parametrize(("name", "precision", "eps"), EVERY)
def test_same_as_the_library(name, precision, eps, tmp_path):
    agent = agent_of(name)
    c, e = Compiled(agent, tmp_path, precision), expected(agent)
    n_draws = e.noise.shape[1]
    np.testing.assert_array_equal(c.noise(n_draws, SEED, e.episode, e.step), e.noise)  # to the bit, in float too

    action, status = c.act(e.obs)
    assert (status == OK).all()
    e.close(action, mapped(agent, e.mode), eps)

    latent, log_prob, status = c.draw(e.obs, e.noise)
    np.testing.assert_array_equal(status == OK, e.finite)
    assert (status[~e.finite] == NONFINITE).all()
    e.close(latent, e.latent.reshape(latent.shape), eps)
    e.same_log_prob(log_prob, e.log_prob, eps)

    drawn, status = c.act_sampled(e.obs, SEED, e.episode, e.step)
    np.testing.assert_array_equal(status == OK, e.finite)
    np.testing.assert_array_equal(drawn[e.finite], c.map(latent)[e.finite])
    e.close(drawn, mapped(agent, e.latent), eps)

    given = e.latent.astype(c.action).astype(e.latent.dtype)  # rounded, in float
    with np.errstate(all="ignore"):
        exact = agent.policy.at(agent.theta, e.obs, np.where(np.isfinite(given), given, 0)).log_prob
    e.same_log_prob(c.log_prob(e.obs, given)[0], exact, eps)


def test_the_comparison_can_fail():
    e = expected(agent_of("mixture of kinds"), 100)
    e.close(e.latent, e.latent, 0.0)
    e.same_log_prob(e.log_prob, e.log_prob, 0.0)
    with pytest.raises(AssertionError):
        e.close(e.latent * (1 + 1e-10), e.latent, 1e-12)
    with pytest.raises(AssertionError):
        e.same_log_prob(e.log_prob + 1e-10, e.log_prob, 1e-12)


@pytest.mark.parametrize(("precision", "dtype"), [("double", np.float64), ("float", np.float32)])
def test_numbers_read_back_to_their_bits(precision, dtype):
    values = np.array([0.1, -1e-7, 3.0, 1e30, -0.0, 1e-40, 1 / 3]).astype(dtype)
    words = table("npg_real", "x", values.astype(np.float64), precision).split("{")[1].split()
    read = np.array([word.rstrip("f,};") for word in words]).astype(dtype)
    np.testing.assert_array_equal(read.view(np.uint8), values.view(np.uint8))


@pytest.mark.parametrize(("name", "precision"), [("masked", "double"), ("mixture of kinds", "float")])
def test_the_self_test_passes_and_can_fail(name, precision, tmp_path):
    source, _ = export_c(agent_of(name), tmp_path, precision, learning=True)
    gcc("-DNPG_SELF_TEST", "-O2", source, "-o", tmp_path / "test", "-lm")
    assert subprocess.run([tmp_path / "test"], check=False).returncode == 0
    spoilt = source.read_text().replace("sum += npg_exp", "sum += 2 * npg_exp").replace("0xD2511F53u", "0xD2511F51u")
    source.write_text(spoilt)
    gcc("-DNPG_SELF_TEST", source, "-o", tmp_path / "test", "-lm")
    assert subprocess.run([tmp_path / "test"], check=False).returncode == 1


@pytest.mark.parametrize("precision", ["double", "float"])
def test_the_self_test_of_large_actions(precision, tmp_path):
    policy = make_policy((REALS, Box(-1e9, 1e9, (2,))), log_std_init=-3.0)
    theta = agent_of("fixed σ, rescale").theta * 1e4
    source, _ = export_c(Agent(policy, np.append(theta, [-3.0, -2.0])), tmp_path, precision)
    gcc("-DNPG_SELF_TEST", source, "-o", tmp_path / "test", "-lm")
    assert subprocess.run([tmp_path / "test"], check=False).returncode == 0
    with pytest.raises(InvalidInput, match="no observation leads to an action that is finite"):
        export_c(Agent(policy, np.append(theta, [900.0, 0.0])), tmp_path, precision)


@pytest.mark.parametrize("name", ["masked", "mixture of kinds"])
def test_no_warnings_no_undefined_behaviour(name, tmp_path):
    source, _ = export_c(agent_of(name), tmp_path, "double", learning=True)
    gcc("-O3", "-Wshadow", "-Wconversion", "-c", source, "-o", tmp_path / "npg.o")
    gcc("-DNPG_SELF_TEST", "-fsanitize=undefined,address", "-fno-sanitize-recover", source, "-o", tmp_path / "t", "-lm")
    assert subprocess.run([tmp_path / "t"], check=False).returncode == 0


@pytest.mark.parametrize("precision", ["double", "float"])
def test_what_is_not_finite_is_said(precision, tmp_path):
    policy = POLICIES["fixed σ, rescale"]
    agent = Agent(policy, np.full(policy.n_params, 0.7))
    c = Compiled(agent, tmp_path, precision)
    obs = np.zeros((5, 4))
    obs[0, 0], obs[1, 3], obs[2, 1], obs[3] = np.nan, np.inf, -np.inf, np.finfo(c.real).max  # the last: y overflows
    for rows, status in (c.act(obs), c.act_sampled(obs, 1, np.arange(5), np.arange(5))):
        np.testing.assert_array_equal(status, [NONFINITE] * 4 + [OK])
        assert (rows[:4] == -77).all()  # untouched
        assert (rows[4] != -77).all()
    assert (c.log_prob(obs, np.zeros((5, 2)))[1] == [NONFINITE] * 4 + [OK]).all()
    assert c.draw(obs[4:], np.array([[np.nan, 0.0]]))[2] == NONFINITE
    latent = np.array([[np.nan, 0.0], [0.0, np.inf]])
    np.testing.assert_array_equal(c.log_prob(np.zeros((2, 4)), latent)[1], [BAD_ACTION] * 2)


@pytest.mark.parametrize("precision", ["double", "float"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_what_overflows_inside_is_said(activation, precision, tmp_path):
    policy = make_policy((REALS, TWO), "mlp", hidden=(3,), activation=activation)
    c = Compiled(Agent(policy, np.full(policy.n_params, 4.0)), tmp_path, precision)
    largest = np.finfo(c.real).max
    action, status = c.act(np.array([[largest, -largest, 0.0, 0.0]]))  # a hidden unit is inf - inf
    assert status == NONFINITE
    assert (action == -77).all()
    main = f"npg_real obs[4] = {{{float(largest)}, -{float(largest)}}}; npg_action a[2]; return npg_act(obs, a) != 1;"
    (tmp_path / "main.c").write_text(f'#include "npg.c"\nint main(void) {{ {main} }}\n')
    checks = "-fsanitize=undefined,float-cast-overflow,address"
    gcc(checks, "-fno-sanitize-recover", tmp_path / "main.c", "-o", tmp_path / "main", "-lm")
    assert subprocess.run([tmp_path / "main"], check=False).returncode == 0


@pytest.mark.parametrize(
    ("flags", "remedy"),
    [
        (["-ffast-math"], "without -ffast-math"),
        (["-U__DBL_MANT_DIG__", "-D__DBL_MANT_DIG__=24"], "with -mdouble=64"),
        pytest.param(
            ["-mfpmath=387"],
            "with -msse2",
            marks=pytest.mark.skipif(platform.machine() != "x86_64", reason="x87 is of x86"),
        ),
    ],
)
def test_other_arithmetic_is_refused(flags, remedy, tmp_path):
    source, _ = export_c(agent_of("linear softmax"), tmp_path)
    done = subprocess.run(
        ["gcc", "-c", *flags, source, "-o", tmp_path / "a.o"], capture_output=True, text=True, check=False
    )
    assert done.returncode
    assert remedy in done.stderr


def test_actions_that_are_none(tmp_path):
    c = Compiled(agent_of("mixture of kinds"), tmp_path)
    good = [2.0, 0.3, -7.0, 1.0, 0.0]
    wrong = {0: [-1.0, 3.0, 0.5, np.nan, 1e30], 3: [0.5, -1.0, 2.0, np.inf], 4: [np.nan]}
    bad = [[*good[:j], value, *good[j + 1 :]] for j, values in wrong.items() for value in values]
    status = c.log_prob(np.zeros((len(bad) + 1, 4)), np.array([good, *bad]))[1]
    np.testing.assert_array_equal(status, [OK] + [BAD_ACTION] * len(bad))


@pytest.mark.parametrize("start", [-(2**31), 2**31 - 3])
def test_actions_are_numbered_as_far_as_int32(start, tmp_path):
    def agent(start):
        policy = make_policy((REALS, Discrete(3, start=start)))
        return Agent(policy, np.array([0.0] * 14 + [1.0]))

    action, _ = Compiled(agent(start), tmp_path).act(np.zeros((1, 4)))
    assert action == start + 2
    with pytest.raises(InvalidInput, match="do not fit an int32_t"):
        export_c(agent(start + (1 if start > 0 else -1)), tmp_path)


def test_masks(tmp_path):
    agent = agent_of("masked")
    c = Compiled(agent, tmp_path)
    obs = np.concatenate([np.ones((3, 4)), [[0, 0, 1, 0, 0], [0, 0, 0, 0, 0], [1, 1, 0, 1, 1]]], axis=1)
    action, status = c.act(obs)
    np.testing.assert_array_equal(status, [OK, NO_ACTION, OK])
    assert action[0] == 2
    log_prob, status = c.log_prob(obs, np.array([2, 2, 2]))
    assert (status[0], log_prob[0], log_prob[2]) == (OK, 0.0, -np.inf)


@pytest.mark.parametrize("seed", [0, 1, 2**63, 2**64 - 1])
def test_noise_of_far_places(seed, tmp_path):
    c = Compiled(agent_of("mixture of kinds"), tmp_path)
    episode, step = np.array([0, 1, 2**32, 2**63 - 1]), np.array([2**32 - 1, 0, 1, 2**31])
    draws = POLICIES["mixture of kinds"].draws
    np.testing.assert_array_equal(
        c.noise(len(draws), seed, episode, step), noise.draw(draws, seed, noise.ACTION, episode, step)
    )


def test_another_name_and_cplusplus(tmp_path):
    for name in ("left", "right"):
        export_c(agent_of("coins", seed=len(name)), tmp_path, name=name)
    main = tmp_path / "main.c"
    main.write_text(
        '#include "left.h"\n#include "right.h"\n'
        "int main(void)\n{\n    left_real obs[LEFT_N_OBS] = {0};\n    left_action a[LEFT_N_ACT];\n"
        "    return left_act(obs, a) + right_act(obs, a);\n}\n"
    )
    gcc(main, tmp_path / "left.c", tmp_path / "right.c", "-o", tmp_path / "both", "-lm")
    assert subprocess.run([tmp_path / "both"], check=False).returncode == 0
    if shutil.which("g++"):
        (tmp_path / "main.cpp").write_text('#include "left.h"\nint main() { return LEFT_OK; }\n')
        subprocess.run(["g++", "-Wall", "-Wextra", "-Werror", "-pedantic", "-c", "main.cpp"], cwd=tmp_path, check=True)


def test_the_same_agent_gives_the_same_text(tmp_path):
    first, second = (export_c(agent_of("coins"), tmp_path / folder) for folder in "ab")
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
        text = one.read_text(encoding="ascii")
        assert "0BSD" in text


def test_names_from_files_do_not_end_the_comment(tmp_path):
    evil = 'x */ #error \\\n int y; /* ??/ \N{GREEK SMALL LETTER PI} "'
    space = Dict({evil: Box(-1.0, 1.0, (2,))})
    policy = make_policy((space, Discrete(2)))
    source, header = export_c(Agent(policy, np.zeros(policy.n_params), info={"env_id": evil}), tmp_path)
    gcc("-c", source, "-o", tmp_path / "npg.o")
    assert header.read_text().count("*/ #error") == 0


def test_what_cannot_be_exported_is_refused(tmp_path):
    full = make_policy((REALS, TWO), std="full")
    with pytest.raises(InvalidInput, match="distribution FullGaussian cannot be exported; supported are Categorical"):
        export_c(Agent(full, np.zeros(full.n_params)), tmp_path)
    for what, kind, window in (("Recurrent", "recurrent", 1), ("Stacked", "linear", 2)):
        policy = make_policy((REALS, TWO), kind, window=window, hidden=(3,), std="state")
        with pytest.raises(InvalidInput, match=f"function {what} cannot be exported"):
            export_c(Agent(policy, np.zeros(policy.n_params)), tmp_path)
    agent = agent_of("coins")
    with pytest.raises(InvalidInput, match="precision is 'half'"):
        export_c(agent, tmp_path, "half")
    for name in ("1st", "Upper", "a-b", ""):
        with pytest.raises(InvalidInput, match="expected a C name"):
            export_c(agent, tmp_path, name=name)
    large = Agent(agent.policy, np.full(agent.policy.n_params, 1e39))
    with pytest.raises(InvalidInput, match="too large for precision='float'"):
        export_c(large, tmp_path, "float")
    gaussian = POLICIES["fixed σ, rescale"].distribution
    wrong = ComposedPolicy(Constant(4, 4), gaussian, REALS, Box(0, 9, (2,), "int64"))
    with pytest.raises(InvalidInput, match="DiagonalGaussian with action space"):
        export_c(Agent(wrong, np.zeros(4)), tmp_path)
    assert list(tmp_path.iterdir()) == []
