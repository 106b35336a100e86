import io

import pytest

from npgrad.training import progress
from npgrad.training.progress import ProgressBar


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
        bar.update(100 + 10 * second, mean_return=1.5 * second)
    bar.close()
    lines = out.getvalue().splitlines()
    assert lines == [
        "200/1,000 steps, return 15, 10 steps/s, 80 s left",
        "300/1,000 steps, return 30, 10 steps/s, 70 s left",
    ]


def test_a_bar_in_a_terminal(clock):
    out = Terminal()
    bar = ProgressBar(1000, stream=out)
    bar.update(10, 1.0)
    assert out.getvalue() == ""  # not for a run of a moment
    clock[0] += 2
    bar.update(500, 123.456)
    text = out.getvalue()
    assert " 50%" in text
    assert "500/1.00k steps" in text
    assert "return 123.5" in text
    assert "left" in text
    bar.write("a word")
    bar.close()
    assert "a word" in out.getvalue()


def test_quiet_but_for_messages(clock):
    out = Terminal()
    bar = ProgressBar(1000, show=False, stream=out)
    clock[0] += 60
    bar.update(500, None)
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
        bar.update(500, None)
    bar.write("stopping")
    bar.close()
