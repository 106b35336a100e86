"""Kernels: laziness, what is compiled along, the fallback's bits, environment functions, a cache that never lies."""

import os
import subprocess
import sys
import textwrap
import threading
import time
import types
import warnings

import numpy as np
import pytest

from npgrad import jit
from npgrad.errors import InvalidInput
from npgrad.jit import cache, compiler, source

needs_numba = pytest.mark.skipif(not jit.enabled(), reason="kernels run as plain Python here")
SIGNATURE = "void(const(float64[::1]), float64[::1])"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NPGRAD_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def python(code, **environ):
    """Run `code` in a new process; its standard output."""
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def module(text, **names):
    """A module without a file, so that its functions have none."""
    made = types.ModuleType("made_up")
    vars(made).update(names)
    exec(textwrap.dedent(text), vars(made))
    return made


def hits(kernel):
    return sum(kernel.compile().stats.cache_hits.values())


# functions that kernels reach, in every way they can be named

OFFSET = 10.0
TABLE = np.array([1.0, 2.0, 4.0])
tools = module("def thrice(x): return 3.0 * x", np=np)


@jit.device
def twice(x):
    return 2.0 * x


def factorial(n):
    return 1 if n <= 1 else n * factorial(n - 1)


def with_default(x, scale=0.5):
    return scale * twice(x)


def make_adder(amount, function):
    def add(x):
        return function(x) + amount

    return add


adder = make_adder(100.0, twice)


@jit.kernel(SIGNATURE)
def reach(x, out):
    for i in range(x.shape[0]):
        out[i] = tools.thrice(x[i]) + adder(x[i]) + with_default(x[i]) + OFFSET + TABLE[2] + factorial(3)


@jit.kernel(SIGNATURE)
def outer(x, out):
    reach(x, out)
    out[0] = -out[0]


def test_kernels_reach_functions_wherever_they_are_named():
    x = np.array([1.0, 2.0])
    out, plain = np.empty((2, 2))
    reach(x, out)
    reach.py_func(x, plain)
    assert np.array_equal(out, 3 * x + 2 * x + 100 + x + 10 + 4 + 6)
    assert np.array_equal(plain, out)
    outer(x, out)
    assert np.array_equal(out, plain * [-1, 1])


def test_devices_stay_plain_functions():
    assert isinstance(twice, types.FunctionType)
    assert np.array_equal(twice(np.arange(3.0)), [0, 2, 4])


def test_kernels_keep_name_and_are_listed():
    assert reach.__name__ == "reach"
    assert reach in jit.all_kernels()
    assert "reach" in repr(reach)


@needs_numba
def test_read_only_arrays_need_const():
    x = np.ones(2)
    x.flags.writeable = False
    out = np.empty(2)
    reach(x, out)  # const(…)

    @jit.kernel("void(float64[::1], float64[::1])")
    def copy(x, out):
        out[:] = x

    with pytest.raises(TypeError, match="readonly"):
        copy(x, out)


@needs_numba
def test_several_signatures_and_keywords():
    @jit.kernel("float64(float64[::1])", "float32(float32[::1])")
    def first(x):
        return x[0]

    assert first(np.ones(2)) == 1.0
    assert first(x=np.full(2, 3, dtype=np.float32)) == 3.0
    with pytest.raises(TypeError):
        first(np.ones(2, dtype=np.int64))


def test_division_by_zero_is_infinite():
    @jit.kernel(SIGNATURE)
    def inverse(x, out):
        for i in range(x.shape[0]):
            out[i] = 1.0 / x[i]

    out = np.empty(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        inverse(np.array([0.0, -0.0, 2.0]), out)
        with np.errstate(all="ignore"):
            inverse.py_func(np.array([0.0, -0.0, 2.0]), out)
    assert np.array_equal(out, [np.inf, -np.inf, 0.5])


def test_two_threads_may_call_first():
    @jit.kernel(SIGNATURE)
    def square(x, out):
        for i in range(x.shape[0]):
            out[i] = x[i] * x[i]

    outs = np.zeros((4, 3))
    threads = [threading.Thread(target=square, args=(np.arange(3.0), out)) for out in outs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(outs, np.tile([0, 1, 4], (4, 1)))


# laziness and the fallback


def test_importing_imports_no_numba():
    assert python("import sys, npgrad.jit; print('numba' in sys.modules)") == "False"


FALLBACK = """
    import sys, warnings
    {before}
    import numpy as np
    from npgrad import jit, noise
    from npgrad.noise.compiled import fill
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out = np.empty((2, 5))
        for _ in range(2):
            fill(noise.kind_codes(["normal", "uniform"]), 2**64 - 1, 3, np.arange(5), np.arange(5), out)
    assert np.array_equal(out.T, noise.draw(["normal", "uniform"], 2**64 - 1, 3, np.arange(5), np.arange(5)))
    print(jit.enabled(), len(caught), "numba.core" in sys.modules)
"""


def test_plain_python_on_request_gives_the_same_bits_without_a_warning():
    assert python(FALLBACK.format(before=""), NPGRAD_JIT="0") == "False 0 False"


def test_plain_python_without_numba_gives_the_same_bits_and_one_warning():
    assert python(FALLBACK.format(before="sys.modules['numba'] = None"), NPGRAD_JIT="1") == "False 1 False"


# environment functions


def reset(params, lanes, noise, state, obs):
    for k in range(lanes.shape[0]):
        state[0, lanes[k]] = twice(noise[0, k])
        obs[0, lanes[k]] = state[0, lanes[k]]


def step(params, act, noise, state, obs, rew, terminated):
    for b in range(act.shape[1]):
        state[0, b] += params[0] * act[0, b]
        obs[0, b] = state[0, b]
        rew[b] = -abs(state[0, b])
        terminated[b] = state[0, b] > 1.0


@jit.kernel(
    "void(ENV_RESET, ENV_STEP, float64[::1], int64[::1], float64[:,::1], float64[:,::1], float64[:,::1], "
    "float64[:,::1], float64[::1], boolean[::1])"
)
def drive(reset, step, params, lanes, noise, act, state, obs, rew, terminated):
    reset(params, lanes, noise, state, obs)
    step(params, act, noise, state, obs, rew, terminated)


def driven(as_reset, as_step):
    state, obs, rew, terminated = np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3), np.zeros(3, bool)
    noise, act = np.array([[0.1, 0.2]]), np.array([[1.0, 2.0, 3.0]])
    drive(as_reset, as_step, np.array([0.5]), np.array([0, 2]), noise, act, state, obs, rew, terminated)
    return state, obs, rew, terminated


def test_environment_functions_as_arguments():
    state, obs, rew, terminated = driven(jit.env_function(reset, "reset"), jit.env_function(step, "step"))
    np.testing.assert_allclose(state, [[0.7, 1.0, 1.9]], rtol=1e-15)
    assert np.array_equal(obs, state)
    assert np.array_equal(rew, -state[0])
    assert terminated.tolist() == [False, False, True]
    assert jit.env_function(step, "step") is jit.env_function(step, "step")


@jit.kernel(
    "void(ENV_ADDRESS, ENV_ADDRESS, float64[::1], int64[::1], float64[:,::1], float64[:,::1], float64[:,::1], "
    "float64[:,::1], float64[::1], boolean[::1])"
)
def drive_by_address(reset, step, params, lanes, noise, act, state, obs, rew, terminated):
    reset_at, step_at = jit.as_reset(reset), jit.as_step(step)
    reset_at(params, lanes, noise, state, obs)
    step_at(params, act, noise, state, obs, rew, terminated)


def test_environment_functions_by_their_address():
    state, obs, rew, terminated = np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3), np.zeros(3, bool)
    noise, act = np.array([[0.1, 0.2]]), np.array([[1.0, 2.0, 3.0]])
    places = jit.env_address(reset, "reset"), jit.env_address(step, "step")
    drive_by_address(*places, np.array([0.5]), np.array([0, 2]), noise, act, state, obs, rew, terminated)
    expected = driven(jit.env_function(reset, "reset"), jit.env_function(step, "step"))
    for got, want in zip((state, obs, rew, terminated), expected, strict=True):
        assert np.array_equal(got, want)


def test_environment_functions_from_python_give_the_same_bits():
    state, obs, rew, terminated = np.zeros((1, 3)), np.zeros((1, 3)), np.zeros(3), np.zeros(3, bool)
    noise, act, params = np.array([[0.1, 0.2]]), np.array([[1.0, 2.0, 3.0]]), np.array([0.5])
    jit.njit_function(reset, "reset")(params, np.array([0, 2]), noise, state, obs)
    jit.njit_function(step, "step")(params, act, noise, state, obs, rew, terminated)
    expected = driven(jit.env_function(reset, "reset"), jit.env_function(step, "step"))
    for got, want in zip((state, obs, rew, terminated), expected, strict=True):
        assert np.array_equal(got, want)


def test_wrong_number_of_arguments():
    with pytest.raises(
        InvalidInput, match=r"reset is reset\(a, b\), expected 5 arguments: reset\(params: float64\[::1\], lanes"
    ):
        jit.env_function(module("def reset(a, b): pass").reset, "reset")
    with pytest.raises(InvalidInput, match="expected 7 arguments"):
        jit.njit_function(reset, "step")
    with pytest.raises(InvalidInput, match="expected 5 arguments"):
        jit.env_function(lambda *args: None, "reset")
    with pytest.raises(InvalidInput, match="expected a plain Python function"):
        jit.env_function(np.sin, "reset")


@needs_numba
@pytest.mark.parametrize("compile_it", [jit.env_function, jit.njit_function])
def test_a_function_that_does_not_compile(compile_it):
    def broken_step(params, act, noise, state, obs, rew, terminated):
        rew[0] = params.no_such_thing

    with pytest.raises(
        InvalidInput, match=r"broken_step, does not compile; expected step\(.*no_such_thing.*test_jit.py"
    ):
        compile_it(broken_step, "step")


# the cache

HELPER = "def helper(x): return {body}\n"
CALLER = "def caller(x, out):\n    for i in range(x.shape[0]): out[i] = helper(x[i]) + CONSTANT\n"


def fresh(body="x", constant=0.0):
    """A new kernel whose helper stands in another module, as a new process would have it."""
    helper = module(HELPER.format(body=body)).helper
    return jit.kernel(SIGNATURE)(module(CALLER, helper=helper, CONSTANT=constant).caller)


def value(kernel, x=3.0):
    out = np.empty(1)
    kernel(np.array([x]), out)
    return out[0]


@needs_numba
def test_functions_without_a_file_are_cached(own_cache):
    assert hits(fresh()) == 0
    assert len(list(own_cache.iterdir())) == 1
    again = fresh()
    assert hits(again) == 1
    assert value(again) == 3.0


@needs_numba
@pytest.mark.parametrize("change", [{"body": "x + 1.0"}, {"body": "x * 2.0"}, {"constant": 7.0}, {"constant": -0.0}])
def test_a_change_anywhere_is_another_entry(change):
    assert value(fresh()) == 3.0
    changed = fresh(**change)
    assert hits(changed) == 0
    assert value(changed) == {"x + 1.0": 4.0, "x * 2.0": 6.0}.get(change.get("body"), 3.0 + change.get("constant", 0.0))
    assert hits(fresh()) == 1


@needs_numba
def test_versions_of_one_function_live_side_by_side():
    """Numba numbers its symbols by process: a cached version and a new one must not be mixed up."""
    kernels = [fresh(constant=float(i)) for i in range(3)]
    assert [value(kernel) for kernel in kernels] == [3.0, 4.0, 5.0]
    again = [fresh(constant=float(i)) for i in (2, 3, 0)]
    assert [hits(kernel) for kernel in again] == [1, 0, 1]
    assert [value(kernel) for kernel in again] == [5.0, 6.0, 3.0]
    assert [value(kernel) for kernel in kernels] == [3.0, 4.0, 5.0]


@needs_numba
def test_a_constant_changed_between_two_kernels():
    made = module("G = 1.0\ndef helper(x): return x + G")
    first = jit.kernel(SIGNATURE)(module(CALLER, helper=made.helper, CONSTANT=0.0).caller)
    assert value(first) == 4.0
    made.G = 2.0
    assert value(first) == 4.0  # frozen
    assert value(jit.kernel(SIGNATURE)(module(CALLER, helper=made.helper, CONSTANT=0.0).caller)) == 5.0
    made.G = 1.0
    assert value(jit.kernel(SIGNATURE)(module(CALLER, helper=made.helper, CONSTANT=0.0).caller)) == 4.0


@needs_numba
@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "foreign"])
def test_a_damaged_file_is_compiled_anew(own_cache, damage):
    value(fresh())
    (path,) = own_cache.iterdir()
    blob = bytearray(path.read_bytes())
    if damage == "flip":
        blob[len(blob) // 2] ^= 1
    elif damage == "foreign":  # whole, but nothing numba knows
        path.unlink()
        cache.save(path.name.removesuffix(".npgrad-jit"), b"\x80\x04N.")
        blob = bytearray(path.read_bytes())
    path.write_bytes(blob[: {"cut": 1000, "empty": 0}.get(damage, len(blob))])
    repaired = fresh()
    assert hits(repaired) == 0
    assert value(repaired) == 3.0
    assert hits(fresh()) == 1


@needs_numba
def test_recursive_functions_are_not_kept_on_disk(own_cache):
    """Numba 0.68 loads them from disk and then crashes."""
    assert value(fresh(body="x if x < 1.0 else helper(x - 1.0)")) == 0.0
    assert not own_cache.exists() or not list(own_cache.iterdir())
    with pytest.raises(source.UncacheableError, match="factorial calls itself"):
        source.digest(reach.py_func)


def test_constants_without_a_description_are_not_kept_on_disk():
    class Odd:
        def __reduce__(self):
            raise TypeError

    with pytest.raises(source.UncacheableError, match="reads"):
        source.digest(module("def f(): return odd", odd=Odd()).f)


def test_the_digest_sees_all_that_is_reached():
    def of(text, **names):
        return source.digest(module(text, **names).f)

    base = "def f(x): return g(x) + c"
    g = module("def g(x): return x").g
    same = of(base, g=g, c=1)
    assert same == of(base, g=module("def g(x): return x").g, c=1, unread=5)
    assert same == of("\n\n" + base, g=g, c=1)  # lines do not matter
    others = [
        of(base, g=module("def g(x): return -x").g, c=1),
        of(base, g=g, c=1.0),
        of(base, g=g, c=True),
        of(base, g=g, c=np.float64(1)),
        of(base, g=g, c=np.array([1])),
        of(base, g=g, c=np.array([1], np.int32)),
        of(base, g=g, c=(1,)),
        of(base.replace("(x):", "(x, y=2):"), g=g, c=1),
        of(base.replace("(x):", "(x, y=3):"), g=g, c=1),
        of(base.replace("+", "-"), g=g, c=1),
        of("def f(x): return m.g(x) + c", m=module("def g(x): return x"), c=1),
        of("def f(x): return m.g(x) + c", m=module("def g(x): return 2 * x"), c=1),
        source.digest(make_adder(1.0, twice)),
        source.digest(make_adder(2.0, twice)),
        source.digest(make_adder(2.0, with_default)),
    ]
    assert len({same, *others}) == 1 + len(others)


def test_nowhere_to_write(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("")
    monkeypatch.setenv("NPGRAD_CACHE_DIR", str(blocked / "cache"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert cache.directory().parent == tmp_path / "temporary"  # not the wish, but a place
    assert value(fresh(constant=0.25)) == 3.25
    monkeypatch.setattr(cache.tempfile, "tempdir", str(blocked))
    assert cache.directory() is None
    assert value(fresh(constant=0.75)) == 3.75
    monkeypatch.setattr(cache.tempfile, "tempdir", None)  # to be found, among none
    monkeypatch.setattr(cache.tempfile, "_candidate_tempdir_list", lambda: [str(blocked)])
    assert cache.directory() is None


@pytest.mark.skipif(sys.platform == "win32", reason="permissions")
def test_a_directory_others_can_write_to_is_not_trusted(own_cache, tmp_path, monkeypatch):
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "temporary"))
    own_cache.mkdir()
    own_cache.chmod(0o777)
    assert cache.directory() != own_cache


@pytest.mark.skipif(sys.platform == "win32", reason="XDG")
def test_the_directory_follows_the_platform(tmp_path, monkeypatch):
    monkeypatch.delenv("NPGRAD_CACHE_DIR")
    monkeypatch.setattr(cache.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.directory() == tmp_path / "npgrad"


def test_files_unused_for_a_month_are_removed(own_cache):
    cache.save("old", b"1")
    cache.save("used", b"2")
    cache.save("young", b"3")
    for path in own_cache.iterdir():
        days = 1 if path.name.startswith("young") else 40
        os.utime(path, (time.time() - days * 86400,) * 2)
    assert cache.load("used") == b"2"
    cache._pruned.clear()
    cache.save("new", b"4")
    assert sorted(path.stem for path in own_cache.iterdir()) == ["new", "used", "young"]


PROCESS = """
    import numpy as np
    from npgrad import jit

    def step(params, act, noise, state, obs, rew, terminated):
        for b in range(rew.shape[0]):
            rew[b] = 2.0 * params[0]

    @jit.kernel("void(ENV_STEP, float64[::1], float64[:,::1], float64[::1], boolean[::1])")
    def drive(step, params, none, rew, terminated):
        step(params, none, none, none, none, rew, terminated)

    @jit.kernel("float64(float64[::1], int64)")
    def item(x, i):
        return x[i]

    rew = np.zeros(3)
    made = jit.env_function(step, "step")
    drive(made, np.array([1.5]), np.empty((1, 3)), rew, np.zeros(3, bool))
    assert rew.tolist() == [3.0] * 3
    assert item(rew, 2) == 3.0
    print(made.cache_hits, *(sum(k.compile().stats.cache_hits.values()) for k in (drive, item)))
"""


@needs_numba
def test_processes_share_the_cache_and_may_compile_at_once(own_cache):
    command = [sys.executable, "-c", textwrap.dedent(PROCESS)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for process in running:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    assert len(list(own_cache.iterdir())) == 3
    assert python(PROCESS) == "1 1 1"


@needs_numba
def test_bounds_checks_are_entries_of_their_own():
    item = """
    import numpy as np
    from npgrad import jit

    @jit.kernel("float64(float64[::1], int64)")
    def item(x, i):
        return x[i]

    try:
        item(np.ones(8)[:4], 5)
    except IndexError:
        print("checked", end=" ")
    print(sum(item.compile().stats.cache_hits.values()))
"""
    assert python(item, NUMBA_BOUNDSCHECK="0") == "0"
    assert python(item, NUMBA_BOUNDSCHECK="1") == "checked 0"
    assert python(item, NUMBA_BOUNDSCHECK="0") == "1"


@needs_numba
def test_the_users_own_numba_is_left_alone():
    numba = compiler.load_numba()
    before = {name: getattr(numba.config, name) for name in ("CACHE_DIR", "BOUNDSCHECK", "DISABLE_JIT")}
    value(fresh(constant=0.125))
    assert before == {name: getattr(numba.config, name) for name in before}

    @numba.njit
    def own(x):
        return twice_compiled(x)

    twice_compiled = numba.njit(twice)
    assert own(2.0) == 4.0

    @jit.kernel(SIGNATURE)
    def calls_own(x, out):
        out[0] = twice_compiled(x[0])

    assert value(calls_own) == 6.0
    assert "forceinline" not in twice_compiled.targetoptions


@needs_numba
def test_compiling_is_announced_and_loading_is_not():
    def made():
        text = "def named(x, out):\n    for i in range(x.shape[0]):\n        out[i] = 7.5 * x[i]"
        return jit.kernel(SIGNATURE)(module(text).named)

    said = []
    with jit.announcing(said.append):
        made().compile()
        made().compile()
    made().compile()
    assert said == ["named"]


SHORT_WAY = """
    import numpy as np
    from npgrad import jit
    from npgrad.jit import compiler

    def step(params, act, noise, state, obs, rew, terminated):
        rew[0] = params[0] ** act[0, 0] + np.random.random() * 0.0  # a power, and numba's own generator

    @jit.kernel("void(ENV_ADDRESS, float64[::1], float64[:,::1], float64[::1], boolean[::1])")
    def drive(step, params, act, rew, terminated):
        jit.as_step(step)(params, act, act, act, act, rew, terminated)

    rew = np.zeros(1)
    drive(jit.env_address(step, "step"), np.array([2.0]), np.array([[3.0]]), rew, np.zeros(1, bool))
    print(rew[0], *drive.compile().stats.cache_hits.values())
"""


@needs_numba
def test_what_cached_code_calls_is_found():
    assert python(SHORT_WAY) == "8.0"
    assert python(SHORT_WAY) == "8.0 1"


@jit.kernel("void(float64[::1], int64)")
def write_ahead(out, far):
    for i in range(out.shape[0]):
        jit.prefetch(out, i + far)
        out[i] = i


@pytest.mark.parametrize("far", [0, 3, 10**9])
def test_a_prefetch_changes_nothing(far):
    """Not even where it names a place that is not there."""
    for run in (write_ahead, write_ahead.py_func):
        out = np.zeros(1000)
        run(out, far)
        np.testing.assert_array_equal(out, np.arange(1000))
