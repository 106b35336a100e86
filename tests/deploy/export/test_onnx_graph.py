"""The ONNX graph, run by onnxruntime, against the library."""

import sys

import numpy as np
import pytest

from npgrad.deploy import Agent
from npgrad.deploy.export import export_onnx
from npgrad.errors import InvalidInput, MissingExtra
from npgrad.policies import make_policy
from tests.deploy.export.expected import expected, mapped
from tests.deploy.zoo import POLICIES, REALS, TWO, agent_of

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

DTYPE = {"double": np.float64, "float": np.float32}


def session(agent, tmp_path, precision="double"):
    path = export_onnx(agent, tmp_path / "agent.onnx", precision)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("precision", "eps"), [("double", 1e-12), ("float", 1e-6)])
@pytest.mark.parametrize("name", POLICIES)
def test_same_as_the_library(name, precision, eps, tmp_path):
    agent = agent_of(name)
    e, space = expected(agent), agent.policy.action_space
    run = session(agent, tmp_path, precision).run
    action, log_prob, finite = run(None, {"obs": e.obs.astype(DTYPE[precision])})
    assert finite.all()
    assert action.dtype == space.dtype
    assert action.shape == (len(e.obs), *space.shape)
    exact = mapped(agent, e.mode).astype(space.dtype)
    e.close(action.reshape(len(exact), -1), exact, max(eps, 1e-6 if space.dtype == "float32" else 0))
    assert np.all(np.abs(log_prob - e.mode_log_prob) <= eps * (1 + e.size + np.abs(e.mode_log_prob)))


def test_what_is_not_finite_is_said(tmp_path):
    run = session(agent_of("normalised softmax"), tmp_path).run
    obs = np.zeros((4, 4))
    obs[0, 0], obs[1, 3], obs[2, 1] = np.nan, np.inf, -np.inf
    np.testing.assert_array_equal(run(["finite"], {"obs": obs})[0], [False, False, False, True])


def test_a_mask_that_allows_no_action_is_said(tmp_path):
    obs = np.concatenate([np.zeros((2, 4)), [[0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]], axis=1)
    action, log_prob, _ = session(agent_of("masked"), tmp_path).run(None, {"obs": obs})
    assert action[0] == 2
    np.testing.assert_array_equal(np.isnan(log_prob), [False, True])


def test_the_model_says_what_it_is(tmp_path):
    path = export_onnx(agent_of("sensors"), tmp_path / "deep" / "agent.onnx")
    model = onnx.load(path)
    assert model.opset_import[0].version == 17
    assert "0BSD" in model.doc_string
    assert "obs['door']" in model.doc_string
    assert path.read_bytes() == export_onnx(agent_of("sensors"), tmp_path / "again.onnx").read_bytes()


def test_what_it_cannot_write(tmp_path, monkeypatch):
    full = make_policy((REALS, TWO), std="full")
    with pytest.raises(InvalidInput, match="FullGaussian cannot be exported"):
        export_onnx(Agent(full, np.zeros(full.n_params)), tmp_path / "a.onnx")
    with pytest.raises(InvalidInput, match="precision is 'half'"):
        export_onnx(agent_of("coins"), tmp_path / "a.onnx", "half")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtra, match=r"npgrad\[onnx\]"):
        export_onnx(agent_of("coins"), tmp_path / "a.onnx")
