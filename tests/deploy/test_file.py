"""The agent file: exact there and back, whole or absent, and harmless whatever is in it."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from npgrad.deploy import Agent, archive, load_agent, save_agent
from npgrad.deploy.file import FORMAT, VERSION
from npgrad.errors import CorruptFile, InvalidInput
from npgrad.policies import ComposedPolicy, Normaliser, make_policy
from npgrad.spaces import Box, Dict, Discrete

rng = np.random.default_rng(0)


def make_agent(dtype=np.float64):
    pair = Dict({"a": Box(-np.inf, np.inf, (3,)), "b": Discrete(2)}), Box([-1.0, -2.0], 1.0)
    policy = make_policy(pair, "mlp", hidden=(4,)).with_normaliser(Normaliser(np.ones(5), np.full(5, 2.0)))
    info = {"env_id": "X-v0", "env_kwargs": {"g": 9.81}, "scores": {"mean": 1.5, "ci95": (-np.inf, 2.0)}}
    return Agent(policy, rng.normal(size=policy.n_params).astype(dtype), info=info, seed=7)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "agent.npz"
    make_agent().save(path)
    return path


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_there_and_back(tmp_path, dtype):
    agent, path = make_agent(dtype), tmp_path / "agent.npz"
    agent.save(str(path))
    other = Agent.load(path)
    assert other.theta.dtype == dtype
    assert np.array_equal(other.theta, agent.theta)
    assert other.seed == agent.seed
    assert other.info == agent.info | {"versions": other.info["versions"]}
    assert other.info["versions"]["numpy"] == np.__version__
    for _ in range(20):
        obs = {"a": rng.normal(size=3), "b": 1}
        assert np.array_equal(other.act(obs), agent.act(obs))
        assert np.array_equal(other.predict(obs)[0], agent.predict(obs)[0])


def test_the_same_agent_gives_the_same_bytes(path):
    load_agent(path).save(path.with_name("again.npz"))
    assert path.with_name("again.npz").read_bytes() == path.read_bytes()


def test_numpy_and_unzip_read_it(path):
    with np.load(path, allow_pickle=False) as arrays:
        assert np.array_equal(arrays["theta"], load_agent(path).theta)
        header = json.loads(arrays["header.json"])
    assert header["version"] == VERSION
    assert header["policy"]["$class"] == "policies.ComposedPolicy"
    assert header["info"]["scores"]["ci95"] == [{"$float": "-inf"}, 2.0]


def test_a_failed_write_leaves_the_old_file(path, monkeypatch):
    old = path.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        make_agent().save(path)
    assert path.read_bytes() == old
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_what_cannot_be_read_is_not_written(tmp_path):
    agent = make_agent()
    policy = ComposedPolicy(agent.policy.function, agent.policy.distribution, *make_spaces(agent), action_map=np.sin)
    with pytest.raises(InvalidInput, match=r"policy\.action_map is a ufunc"):
        Agent(policy, agent.theta).save(tmp_path / "a.npz")
    with pytest.raises(InvalidInput, match=r"info\.env is a object"):
        Agent(agent.policy, agent.theta, info={"env": object()}).save(tmp_path / "a.npz")
    with pytest.raises(CorruptFile, match="too much"):
        Agent(agent.policy, agent.theta, info={"long": "x" * archive.MAX_HEADER}).save(tmp_path / "a.npz")
    assert not list(tmp_path.iterdir())


def make_spaces(agent):
    return agent.policy.observation_space, agent.policy.action_space


def rewrite(path, change, **members):
    """The file with its header changed, and members added, replaced, or, with None, left out."""
    with zipfile.ZipFile(path) as old:
        content = {name: old.read(name) for name in old.namelist()}
    header = json.loads(content["header.json"])
    change(header)
    content = content | {"header.json": json.dumps(header).encode()} | members
    with zipfile.ZipFile(path, "w") as new:
        for name, data in content.items():
            if data is not None:
                new.writestr(name, data)


def set_in(*place, value):
    def change(header):
        for key in place[:-1]:
            header = header[key]
        header[place[-1]] = value

    return change


def nothing(header):
    pass


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nothing, None),
        (set_in("format", value="other"), FORMAT),
        (set_in("version", value=VERSION + 1), "version is 2, expected 1; a newer npgrad"),
        (set_in("version", value=True), None),  # equals 1
        (set_in("version", value=[]), "version"),
        (set_in("sha256", value="0" * 64), "checksum"),
        (lambda h: h.pop("policy"), "KeyError"),
        (set_in("policy", value=None), "fit together"),
        (set_in("policy", "$class", value="os.system"), "unknown class 'os.system'"),
        (set_in("policy", "$class", value=[1]), "unknown class"),
        (set_in("policy", "function", "parts", 0, "hidden", value=[5]), "theta"),
        (set_in("policy", "function", "parts", 0, "hidden", value=[10**9]), "theta"),
        (set_in("policy", "function", "n_in", value=4), "unexpected keyword"),
        (set_in("policy", "function", value=3.0), "AttributeError"),
        (set_in("policy", "function", "parts", 0, "activation", value="tan"), "unknown activation"),
        (set_in("policy", "normaliser", value={"$array": "theta"}), "fit together"),
        (set_in("policy", "normaliser", "mean", value={"$array": "nowhere"}), "KeyError"),
        (set_in("policy", "observation_space", value={"$class": "spaces.Box", "low": 0, "high": 1, "shape": [10**12]}),
         "has 1000000000000"),
        (set_in("seed", value="0"), "seed is '0'"),
        (set_in("info", value=3), "info is a int"),
    ],
)  # fmt: skip
def test_changed_headers(path, change, message):
    rewrite(path, change)
    if message is None:
        load_agent(path)
        return
    with pytest.raises(CorruptFile, match=message) as caught:
        load_agent(path)
    assert str(caught.value).startswith(f"{path} is no agent file that this npgrad")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def npy(descr="'<f8'", shape="(3,)", data=b"\0" * 24, magic=b"\x93NUMPY\x01\x00"):
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return magic + len(header).to_bytes(2, "little") + header.encode() + data


@pytest.mark.parametrize(
    ("theta", "message"),
    [
        (None, "checksum"),
        (b"", "no array of plain numbers"),
        (npy(descr="'|O'"), "no array of plain numbers"),
        (npy(descr="[('a', '<f8')]"), "no array of plain numbers"),
        (npy(descr="'<f8'.__class__"), "no array of plain numbers"),
        (npy(shape="(3)"), "checksum"),
        (npy(shape="(__import__('os').abort(),)"), "no array of plain numbers"),
        (npy(shape="(-3,)"), "no array of plain numbers"),
        (npy(shape="(10000000000000,)"), "claims"),
        (npy(shape="(4,)"), "claims"),
        (npy(shape="(0, 999999999999999999, 999999999999999999)", data=b""), "no agent file"),
        (npy(shape="(" + "1, " * 70 + "3)"), "no agent file"),
        (npy(magic=b"\x93NUMPY\x02\x00"), "no array of plain numbers"),
        (npy(descr="'|b1'", data=b"\2\0\1"), "neither 0 nor 1"),
        (npy(), "checksum"),
    ],
)
def test_changed_arrays(path, theta, message):
    rewrite(path, nothing, **{"theta.npy": theta})
    with pytest.raises(CorruptFile, match=message):
        load_agent(path)


def test_theta_must_be_finite(tmp_path, path):
    agent = make_agent()
    bad = agent.theta.copy()
    bad[0] = np.nan
    object.__setattr__(agent, "theta", bad)
    save_agent(agent, path)
    with pytest.raises(CorruptFile, match="NonFinite"):
        load_agent(path)


def test_foreign_files(tmp_path):
    path = tmp_path / "foreign.npz"
    np.savez(path, theta=np.zeros(3))
    with pytest.raises(CorruptFile, match=r"no member header\.json"):
        load_agent(path)
    path.write_bytes(b"")
    with pytest.raises(CorruptFile, match="no intact archive"):
        load_agent(path)
    with zipfile.ZipFile(path, "w") as new:
        new.writestr("header.json", "[" * 10**5)
    with pytest.raises(CorruptFile, match="no JSON"):
        load_agent(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("header.json", "x" * 10**6)
    with pytest.raises(CorruptFile, match="compressed"):
        load_agent(path)
    with zipfile.ZipFile(path, "w") as new:
        for i in range(archive.MAX_MEMBERS):
            new.writestr(f"{i}.npy", "")
        new.writestr("header.json", "{}")
    with pytest.raises(CorruptFile, match="members, expected at most"):
        load_agent(path)
    with pytest.raises(FileNotFoundError):
        load_agent(tmp_path / "absent.npz")


def test_members_that_claim_the_same_bytes(path):
    """Two entries of the directory that point at one member would count it twice."""
    data = path.read_bytes()
    end = data.rindex(b"PK\x05\x06")
    start = int.from_bytes(data[end + 16 : end + 20], "little")
    directory = data[start:end] * 2
    count = (int.from_bytes(data[end + 10 : end + 12], "little") * 2).to_bytes(2, "little")
    tail = data[end : end + 8] + count * 2 + len(directory).to_bytes(4, "little") + data[end + 16 :]
    path.write_bytes(data[:start] + directory + tail)
    with pytest.raises(CorruptFile, match="named apart"):
        load_agent(path)


def test_loading_imports_nothing_heavy(path):
    code = f"""
import sys
import npgrad
agent = npgrad.load_agent({str(path)!r})
agent.act({{"a": [0.0, 0.0, 0.0], "b": 1}})
agent.predict({{"a": [0.0, 0.0, 0.0], "b": 1}})
sys.exit(" ".join({{"numba", "gymnasium", "click", "tqdm"}} & set(sys.modules)) or 0)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
