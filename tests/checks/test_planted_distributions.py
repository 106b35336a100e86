"""Errors planted in distributions: each is caught, and named."""

import numpy as np
import pytest

from npgrad.checks import check_distribution
from npgrad.distributions import Bernoulli, Categorical, Deterministic, DiagonalGaussian, FullGaussian

HALF_LOG_2PI = 0.5 * np.log(2 * np.pi)


def planted(base, **methods):
    """`base` with some methods replaced; each takes the distribution it stands in for first."""

    def method(wrong):
        return lambda self, *args: wrong(base, *args)

    wrong_class = type("Wrong", (type(base),), {name: method(wrong) for name, wrong in methods.items()})
    return wrong_class(*(getattr(base, name) for name in base.__dataclass_fields__))


gaussian, categorical = DiagonalGaussian(2), Categorical(4)


def scaled(row, columns, power, factor=1.0):
    """`row` of a Gaussian with some columns times factor σ^power."""

    def wrong(pi, y, *args):
        right, std = getattr(pi, row)(y, *args), np.exp(y[:, pi.k :])
        right[:, columns] *= factor * std**power
        return right

    return wrong


def lopsided_fisher(pi, y, v):
    """M with its mixed block on one side of the diagonal alone."""
    k = pi.k
    M = np.stack([pi.fisher(y, np.tile(e, (len(y), 1))) for e in np.eye(pi.n_y)], axis=2)
    M[:, 2 * k :, k : 2 * k] = 0
    return np.einsum("tij,tj->ti", M, v)


def diagonal_fisher(pi, y, v):
    p = np.exp(y - y.real.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    return p * (1 - p) * v


def unnormalised(pi, y, act):
    return y[np.arange(len(y)), act]


def without_indicator(pi, y, act):
    row = pi.score(y, act)
    row[np.arange(len(y)), act] -= 1
    return row


def without_p(pi, y, act):
    p = np.exp(y - y.real.max(axis=1, keepdims=True))
    return pi.score(y, act) + p / p.sum(axis=1, keepdims=True)


def without_log_std(pi, y, act):
    return pi.log_prob(y, act) + y[:, pi.k :].sum(axis=1)


def without_square(pi, y, act):
    std = np.exp(y[:, pi.k :])
    return -(0.5 * (act - y[:, : pi.k]) ** 2 / std + y[:, pi.k :] + HALF_LOG_2PI).sum(axis=1).astype(y.dtype)


def in_place(pi, y, act):
    row = pi.score(y, act)
    y *= 1.1
    return row


MEAN, LOG_STD = slice(0, 2), slice(2, 4)

# what is wrong: the statement that fails first among formulas, and what it must say
PLANTED = {
    "sign of the score": (planted(gaussian, score=lambda pi, y, a: -pi.score(y, a)),
                          "score =", "the sign is flipped"),
    "missing σ²": (planted(gaussian, score=scaled("score", MEAN, 2)),
                   "score =", "column 0: the division by σ² is missing (if y[:, 2] is log σ)"),
    "1/σ for 1/σ²": (planted(gaussian, score=scaled("score", MEAN, 1)),
                     "score =", "column 1: 1/σ where 1/σ² belongs (if y[:, 3] is log σ)"),
    "score in σ": (planted(gaussian, score=scaled("score", LOG_STD, -1)),
                   "score =", "columns 2–3: the gradient in σ instead of log σ"),
    "score in σ²": (planted(gaussian, score=scaled("score", LOG_STD, -2, 0.5)),
                    "score =", "columns 2–3: the gradient in σ² instead of log σ"),
    "missing −1": (planted(gaussian, score=lambda pi, y, a: pi.score(y, a) + np.array([0, 0, 1, 1], y.dtype)),
                   "score =", "the gradient of the normaliser is wrong or missing"),
    "action index": (planted(categorical, score=lambda pi, y, a: pi.score(y, (a + 1) % pi.n)),
                     "score =", "the action's index is shifted by +1"),
    "wrong row": (planted(categorical, score=lambda pi, y, a: pi.score(y, np.roll(a, 1))),
                  "score =", "wrong row: the action of the row before it is taken"),
    "missing 1[i = a]": (planted(categorical, score=without_indicator),
                         "score =", "1[i = a], the gradient of y_a, is missing"),
    "missing −p": (planted(categorical, score=without_p),
                   "score =", "−p, the gradient of −log Σ exp y (the normaliser), is missing"),
    "missing −logsumexp": (planted(categorical, log_prob=unnormalised),
                           "Σ p(a) = 1", "−log Σ_j exp y_j, the normaliser, is missing in log_prob"),
    "missing −log σ": (planted(gaussian, log_prob=without_log_std),
                       "∫ p(a) da = 1", "1·y[:, 2] + 1·y[:, 3]: −log σ is missing in log_prob"),
    "σ for σ² in log p": (planted(gaussian, log_prob=without_square),
                          "∫ p(a) da = 1", "σ where σ² belongs under (a − μ)²"),
    "missing 2π": (planted(gaussian, log_prob=lambda pi, y, a: pi.log_prob(y, a) + 2 * float(HALF_LOG_2PI)),
                   "∫ p(a) da = 1", "= 2 · ½ log 2π"),
    "entropy sign": (planted(categorical, entropy=lambda pi, y: -pi.entropy(y)),
                     "entropy =", "the sign is flipped"),
    "entropy in bits": (planted(categorical, entropy=lambda pi, y: pi.entropy(y) / float(np.log(2))),
                        "entropy =", "factor 1.4427"),
    "entropy gradient": (planted(categorical, entropy_grad=lambda pi, y: -pi.entropy_grad(y)),
                         "entropy_grad =", "the sign is flipped"),
    "entropy of a row": (planted(categorical, entropy=lambda pi, y: np.full_like(y[:, 0], pi.entropy(y).mean())),
                         "each row depends", "entropy of a row depends on other rows"),
    "KL swapped": (planted(gaussian, kl=lambda pi, y, other: pi.kl(other, y)),
                   "kl(y, y_other) =", "the arguments are swapped: KL(q ‖ p)"),
    "KL without ½": (planted(gaussian, kl=lambda pi, y, other: 2 * pi.kl(y, other)),
                     "kl(y, y_other) =", "twice what it should be: a ½ is missing"),
    "KL gradients swapped": (planted(categorical, kl_grad=lambda pi, y, other: pi.kl_grad(y, other)[::-1]),
                             "kl_grad[0] =", "the two gradients are swapped"),
    "KL gradient of the other KL": (planted(gaussian, kl_grad=lambda pi, y, other: pi.kl_grad(other, y)[::-1]),
                                    "kl_grad[0] =", "that of KL(q ‖ p), the arguments swapped"),
    "Fisher in σ": (planted(gaussian, fisher=scaled("fisher", LOG_STD, -2)),
                    "fisher(y, v) = M", "the Fisher in σ instead of log σ"),
    "Fisher in σ²": (planted(gaussian, fisher=scaled("fisher", LOG_STD, -4, 0.25)),
                     "fisher(y, v) = M", "the Fisher in σ² instead of log σ"),
    "Fisher, half": (planted(categorical, fisher=lambda pi, y, v: 0.5 * pi.fisher(y, v)),
                     "fisher(y, v) = M", "half of what it should be"),
    "Fisher inverted": (planted(gaussian, fisher=lambda pi, y, v: np.concatenate(
                            [v[:, :2] * np.exp(2 * y[:, 2:]), v[:, 2:] / 2], axis=1)),
                        "fisher(y, v) = M", "M⁻¹ v, the covariance, instead of M v"),
    "Fisher's diagonal": (planted(categorical, fisher=diagonal_fisher),
                          "fisher(y, v) = M", "the off-diagonal entries of M are missing"),
    "Fisher's mixed block": (planted(FullGaussian(2), fisher=lopsided_fisher),
                             "fisher(y, v) = M", "column 4: the off-diagonal entries of M are missing"),
    "draw with σ²": (planted(gaussian, draw=lambda pi, y, noise: y[:, :2] + np.exp(2 * y[:, 2:]) * noise),
                     "draw: log p", "1·y[:, 2] + 1·y[:, 3]: draw and log_prob use different powers of σ"),
    "draw of −y": (planted(categorical, draw=lambda pi, y, noise: pi.draw(-y, noise)),
                   "draws are distributed", "different distributions"),
    "mode": (planted(Bernoulli(3), mode=lambda pi, y: 1 - pi.mode(y)), "mode: log p", "likelier actions"),
    "act of wrong dtype": (planted(categorical, draw=lambda pi, y, noise: pi.draw(y, noise).astype(float)),
                           "draw and mode", "draw gives float64"),
    "in place": (planted(gaussian, score=in_place), "no argument is written to", "score writes to y"),
    "the argument itself": (planted(Deterministic(2), mode=lambda pi, y: y), "of its own", "returns y itself"),
    "∂a/∂y": (planted(Deterministic(2), action_vjp=lambda pi, y, w: -w), "action_vjp", "the sign is flipped"),
    "float64": (planted(categorical, fisher=lambda pi, y, v: pi.fisher(y, v).astype(float)),
                "float32", "fisher gives float64"),
    "raises": (planted(categorical, fisher=lambda pi, y, v: 1 / 0), "fisher(y, v) = M", "raised ZeroDivisionError"),
}  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_planted_error_is_caught_and_named(name):
    distribution, statement, mistake = PLANTED[name]
    report = check_distribution(distribution)
    failed = [line for line in report.failures if statement in line.statement]
    assert failed, report
    assert mistake in failed[0].finding, report


@pytest.mark.parametrize("name", ["missing σ²", "missing −logsumexp", "entropy sign", "KL swapped", "Fisher in σ"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_names_do_not_depend_on_the_seed(name, seed):
    distribution, statement, mistake = PLANTED[name]
    report = check_distribution(distribution, seed=seed)
    (line, *_) = report.failures
    assert statement in line.statement
    assert mistake in line.finding


@pytest.mark.parametrize(("row", "wrong"), [
    ("entropy", lambda pi, y: 1.1 * pi.entropy(y)),
    ("kl", lambda pi, y, other: pi.kl(other, y)),
    ("fisher", lambda pi, y, v: 0.5 * pi.fisher(y, v)),
    ("score", lambda pi, y, a: pi.score(y, a) + 0.1),
])  # fmt: skip
def test_draws_catch_what_cannot_be_summed(row, wrong):
    report = check_distribution(planted(DiagonalGaussian(3), **{row: wrong}))
    assert any("by draws" in line.statement for line in report.failures), report


def test_what_is_absent_is_skipped():
    class Bare(Categorical):
        absent = ("entropy", "entropy_grad", "kl", "kl_grad", "fisher")

    report = check_distribution(Bare(3))
    report.raise_if_failed()
    assert [text.split(":")[0] for text in report.skipped] == ["entropy", "kl", "fisher"]
    assert not any("entropy" in line.statement for line in report.lines)
