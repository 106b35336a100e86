"""The surrogate and the scores in one pass over the rows, against the general path; threads, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest

from npgrad import jit
from npgrad.distributions import Categorical
from npgrad.errors import InvalidInput, NonFinite
from npgrad.estimators import episode_scores, log_surrogate_gradient, one_pass, score_matrix
from npgrad.estimators.one_pass import OnePass
from npgrad.functions import MLP, Linear
from npgrad.jit import blas
from npgrad.kernels import fused
from npgrad.policies import ComposedPolicy, Normaliser, make_policy
from npgrad.pool import thread_pool
from npgrad.spaces import Discrete
from tests.estimators.test_base import OBS, SPACES, case

EXACT = {"float32": 1e-4, "float64": 1e-12}
KINDS = [("softmax", "shared"), ("gaussian", "shared"), ("gaussian", "state")]


def batch_of(kind, std, function, lengths, dtype, scaled=False):
    _, _, batch, psi = case(kind, lengths, 3)
    policy = make_policy((OBS, SPACES[kind]), function, std=std, hidden=(64, 5))
    if scaled:
        policy = policy.with_normaliser(Normaliser(np.array([0.5, 0.0, -1.0]), np.array([2.0, 1.0, 0.5])))
    theta = (np.random.default_rng(4).normal(size=policy.n_params) / 3).astype(dtype)
    return policy, theta, batch, psi


def without(monkeypatch, function, *arguments):
    """What the general path says."""
    with monkeypatch.context() as patch:
        patch.setattr(OnePass, "of", lambda *arguments: None)
        return function(*arguments)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("scaled", [False, True])
@pytest.mark.parametrize("function", ["linear", "mlp"])
@pytest.mark.parametrize(("kind", "std"), KINDS)
def test_value_gradient_and_scores_are_the_same(kind, std, function, scaled, dtype, monkeypatch):
    for lengths in ([1], [5, 1], [40] * 30):  # more than two blocks of rows
        given = batch_of(kind, std, function, lengths, dtype, scaled)
        assert OnePass.of(*given[:3]) is not None or not jit.enabled()
        value, gradient = log_surrogate_gradient(*given)
        twin_value, twin = without(monkeypatch, log_surrogate_gradient, *given)
        assert gradient.dtype == dtype
        np.testing.assert_allclose(value, twin_value, rtol=EXACT[dtype], atol=EXACT[dtype])
        np.testing.assert_allclose(gradient, twin, rtol=EXACT[dtype], atol=EXACT[dtype] * max(1, abs(twin).max()))
        scores, twin = score_matrix(*given[:3]), given[0].score(given[1], given[2].obs, given[2].act)
        assert scores.dtype == dtype
        np.testing.assert_allclose(scores, twin, rtol=EXACT[dtype], atol=EXACT[dtype] * max(1, abs(twin).max()))


@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
@pytest.mark.parametrize("lengths", [[1], [3, 700, 2], [512, 512], [1100], [40] * 30, [511, 2, 1, 510, 1]])
def test_episodes_across_blocks_have_their_own_terms(lengths, kind, monkeypatch):
    policy, theta, batch, psi = batch_of(kind, "shared", "mlp", lengths, "float64")
    edges = np.insert(batch.offsets, 1, batch.offsets[1])  # and one that is empty
    terms = episode_scores(policy, theta, batch, psi)
    twins = without(monkeypatch, episode_scores, policy, theta, batch, psi)
    np.testing.assert_allclose(terms, twins, rtol=1e-11, atol=1e-11 * abs(twins).max())
    made = OnePass.of(policy, theta, batch)
    if made is not None:
        more = made.surrogate(slice(0, batch.n_steps), psi, edges)[1]
        assert not more[1].any()
        np.testing.assert_allclose(np.delete(more, 1, axis=0), twins, rtol=1e-11, atol=1e-11 * abs(twins).max())


@pytest.mark.parametrize("n_threads", [2, 4])
@pytest.mark.parametrize("function", ["linear", "mlp"])
def test_threads_change_no_bit(function, n_threads, monkeypatch):
    monkeypatch.setattr(one_pass, "FEWEST_ROWS", 16)
    monkeypatch.setattr(one_pass, "WORTH_A_CHUNK", 1)
    given = batch_of("gaussian", "shared", function, [7] * 40, "float64")
    value, gradient = log_surrogate_gradient(*given)
    scores = score_matrix(*given[:3])
    with thread_pool(n_threads) as executor:
        shared = log_surrogate_gradient(*given, executor)
        shared_scores = score_matrix(*given[:3], executor)
    assert shared[0] == value
    np.testing.assert_array_equal(shared[1], gradient)
    np.testing.assert_array_equal(shared_scores, scores)


def test_chunks_cover_the_rows_and_are_worth_a_thread():
    for n_rows in (1, 1023, 2048, 5000, 40_001):
        given = batch_of("softmax", "shared", "mlp", [n_rows], "float64")
        made = OnePass.of(*given[:3])
        if made is not None:
            chunks = made.chunks()
            assert [i for rows in chunks for i in range(rows.start, rows.stop)] == list(range(n_rows))
            assert len(chunks) == 1 or n_rows // len(chunks) >= one_pass.FEWEST_ROWS - 1


@pytest.mark.parametrize(
    "options", [{"kind": "linear", "bias": False}, {"std": "fixed"}, {"std": "full"}, {"kind": "recurrent"}]
)
def test_what_is_no_such_policy_goes_the_general_way(options):
    _, _, batch, psi = case("gaussian", [3], 0)
    policy = make_policy((OBS, SPACES["gaussian"]), **options)
    theta = policy.init(np.random.default_rng(0))
    assert OnePass.of(policy, theta, batch) is None
    assert log_surrogate_gradient(policy, theta, batch, psi)[1].shape == theta.shape
    assert score_matrix(policy, theta, batch).shape == (3, policy.n_params)


@pytest.mark.parametrize("kind", [Linear, MLP])
def test_a_function_of_ones_own_is_not_taken_for_its_parent(kind):
    class Mine(kind):
        def at(self, theta, obs, offsets=None):
            return super().at(theta, -np.asarray(obs), offsets)

    _, _, batch, psi = case("softmax", [3], 0)
    policy, negative = ComposedPolicy(Mine(3, 3), Categorical(3), OBS, Discrete(3)), replace(batch, obs=-batch.obs)
    theta = np.random.default_rng(0).normal(size=policy.n_params)
    gradient = log_surrogate_gradient(policy, theta, batch, psi)[1]
    parents = log_surrogate_gradient(replace(policy, function=kind(3, 3)), theta, negative, psi)[1]
    np.testing.assert_allclose(gradient, parents, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("compute", [score_matrix, episode_scores, log_surrogate_gradient])
@pytest.mark.parametrize("function", ["linear", "mlp"])
def test_what_is_not_the_policys_is_refused(function, compute, monkeypatch):
    policy, theta, batch, _ = batch_of("softmax", "shared", function, [3], "float64", scaled=True)
    wide, narrow = (replace(batch, obs=np.ones((3, d)), final_obs=np.ones((1, d))) for d in (2, 1))
    psi = () if compute is score_matrix else (np.ones(3),)
    for wrong, error, message in (
        ((policy, theta, replace(batch, act=np.array([0, 7, 1]))), InvalidInput, r"act\[1\] is 7"),
        ((policy, theta, wide), InvalidInput, "obs has shape"),
        ((policy, theta, narrow), InvalidInput, r"obs has shape \(3, 1\)"),  # which a normaliser would widen
        ((policy, theta[1:], batch), InvalidInput, "theta has shape"),
        ((policy, theta[0], batch), InvalidInput, "theta has float64"),
        ((policy, theta.tolist(), batch), InvalidInput, "theta has list"),
        ((policy, theta.astype(theta.dtype.newbyteorder()), batch), InvalidInput, "theta has dtype [<>]f8"),
        ((policy, np.where(theta == theta[1], np.inf, theta), batch), NonFinite, r"theta\[1\] is inf"),
    ):
        with pytest.raises(error, match=message) as raised:
            compute(*wrong, *psi)
        with pytest.raises(error) as without_it:
            without(monkeypatch, compute, *wrong, *psi)
        assert str(raised.value) == str(without_it.value)


@pytest.mark.skipif(
    not (jit.enabled() and all(map(jit.product_address, blas.LETTERS))), reason="no compiled kernels, or another BLAS"
)
@pytest.mark.parametrize("kind", ["softmax", "gaussian"])
def test_plain_python_gives_the_same_bits(kind, monkeypatch):
    for dtype in blas.LETTERS:
        policy, theta, batch, psi = batch_of(kind, "shared", "linear", [3], dtype)
        made = OnePass.of(policy, theta, batch)
        results = []
        for plain in (False, True):
            out, scores = np.empty((2, len(theta)), dtype), np.empty((len(theta), 3), dtype)
            product = blas.find_product(dtype) if plain else made.product
            surrogate, matrix = fused.policy_surrogate, fused.linear_scores
            if plain:
                surrogate, matrix = surrogate.py_func, matrix.py_func
                for inner in ("perceptron_forward", "softmax_rows", "gaussian_rows"):
                    monkeypatch.setattr(fused, inner, getattr(fused, inner).py_func)
            rows = made._at(slice(0, 3))
            value = surrogate(product, *made.layers, theta, *rows, psi, np.array([0, 1, 3]), np.empty(0, dtype), out)
            matrix(product, made.layers[0], theta, *rows, 0, scores)
            results.append((np.float64(value), out, scores))
        monkeypatch.undo()
        for compiled, plainly in zip(*results, strict=True):
            assert compiled.tobytes() == plainly.tobytes()
