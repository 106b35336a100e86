import io

import pytest

from npgrad.training import progress
from npgrad.training.progress import ProgressBar

ROW = {"rollout/ep_rew_mean": 123.456, "train/signal_to_noise": 0.31234, "train/approx_kl": None, "time/fps": 3}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_line_now_and_then_where_there_is_no_terminal(clock):
    out = io.StringIO()
    bar = ProgressBar(1000, 100, stream=out)
    for second in range(25):
        clock[0] = 100.0 + second
        bar.update(100 + 10 * second, {"rollout/ep_rew_mean": 1.5 * second, "train/approx_kl": 0.012345})
    bar.close()
    lines = out.getvalue().splitlines()
    assert lines == [
        "200/1,000 steps, return 15, KL 0.012, 10 steps/s, 80 s left",
        "300/1,000 steps, return 30, KL 0.012, 10 steps/s, 70 s left",
    ]


def test_a_bar_in_a_terminal(clock):
    out = Terminal()
    bar = ProgressBar(1000, stream=out)
    bar.update(10, ROW)
    assert out.getvalue() == ""  # not for a run of a moment
    clock[0] += 2
    bar.update(500, ROW)
    text = out.getvalue()
    assert " 50%" in text
    assert "500/1.00k steps · 250 steps/s" in text  # of the whole two seconds
    assert "? steps/s" not in text
    assert "return 123.5" in text
    assert "left" in text
    bar.write("a word")
    bar.close()
    assert "a word" in out.getvalue()


@pytest.mark.parametrize(("columns", "figures"), [(80, "return 123.5 ·"), (140, "return 123.5 · S/N 0.31 ·")])
def test_a_narrow_terminal_has_room_for_the_return_alone(clock, monkeypatch, columns, figures):
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "24")
    out = Terminal()
    bar = ProgressBar(10_000_000, stream=out)
    clock[0] += 2
    bar.update(5_000_000, ROW)
    line = out.getvalue().split("\r")[-1]
    bar.close()
    assert figures in line
    assert len(line) <= columns


def test_a_session_by_the_clock(clock):
    for stream in (Terminal(), io.StringIO()):
        bar = ProgressBar(10**9, 1000, stream=stream, seconds=60)
        clock[0] += 15
        bar.update(4000, ROW)
        bar.close()
        text = stream.getvalue()
        assert "4,000 steps" in text
        assert "200 steps/s" in text
        assert "return 123.5" in text
        assert ("45 s left" if not stream.isatty() else " 25%") in text
        assert str(10**9) not in text


def test_quiet_but_for_messages(clock):
    out = Terminal()
    bar = ProgressBar(1000, show=False, stream=out)
    clock[0] += 60
    bar.update(500, {})
    bar.write("stopping")
    bar.close()
    assert out.getvalue().rstrip().startswith("stopping")


def test_a_reader_that_has_gone_stops_no_training(clock):
    class Gone(io.StringIO):
        def write(self, _text):
            raise BrokenPipeError

    bar = ProgressBar(1000, stream=Gone())
    for _ in range(2):
        clock[0] += 60
        bar.update(500, {})
    bar.write("stopping")
    bar.close()


def test_what_is_compiled_is_told_in_passing(clock):
    out = Terminal()
    bar = ProgressBar(1000, stream=out)
    bar.compiling("step")
    bar.compiling("roll_block")
    assert out.getvalue().count("\n") == 0
    assert "compiling step, this once" in out.getvalue()
    bar.close()
    assert out.getvalue().endswith("\r\x1b[K")


def test_what_is_compiled_is_one_line_of_a_file(clock):
    out = io.StringIO()
    bar = ProgressBar(1000, stream=out)
    for name in ("step", "roll_block"):
        bar.compiling(name)
    bar.close()
    assert out.getvalue() == "compiling step, this once: it is kept for later runs\n"
    quiet = io.StringIO()
    ProgressBar(1000, show=False, stream=quiet).compiling("step")
    assert quiet.getvalue() == ""
