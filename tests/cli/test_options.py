from dataclasses import dataclass, field

import click
import pytest
from click.testing import CliRunner

from npgrad.cli.options import Setting, options_of


@dataclass(frozen=True)
class Everything:
    count: int = field(default=3, metadata={"help": "how many", "least": 1})
    rate: float = field(default=1e-3, metadata={"help": "how fast"})
    limit: float | None = field(default=None, metadata={"help": "where to stop"})
    hidden: tuple[int, ...] = field(default=(64, 64), metadata={"help": "units"})
    kind: str = field(default="b", metadata={"help": "which", "choices": ("a", "b")})
    on: bool = field(default=True, metadata={"help": "whether"})
    off: bool = field(default=False, metadata={"help": "whether not"})
    total: int = field(default=10, metadata={"help": "all", "flag": "--steps"})
    note: str | None = field(default=None, metadata={"help": "words"})


def parse(*args):
    found = {}
    command = click.Command("c", params=options_of(Everything), callback=lambda **values: found.update(values))
    result = CliRunner().invoke(command, args)
    return {k: v for k, v in found.items() if v is not None}, result


@pytest.mark.parametrize(
    ("args", "values"),
    [
        ([], {}),
        (["--count", "5"], {"count": 5}),
        (["--count", "1e3"], {"count": 1000}),
        (["--count", "1_000"], {"count": 1000}),
        (["--count", "123456789012345678901"], {"count": 123456789012345678901}),
        (["--rate", "0.5", "--limit", "-2e3"], {"rate": 0.5, "limit": -2000.0}),
        (["--limit=none"], {}),
        (["--hidden", "32,16"], {"hidden": (32, 16)}),
        (["--hidden", "7"], {"hidden": (7,)}),
        (["--kind", "a", "--no-on", "--off"], {"kind": "a", "on": False, "off": True}),
        (["--steps", "20"], {"total": 20}),
        (["--note", "a b"], {"note": "a b"}),
    ],
)
def test_values(args, values):
    found, result = parse(*args)
    assert result.exit_code == 0, result.output
    assert found == values
    assert {k: type(v) for k, v in found.items()} == {k: type(v) for k, v in values.items()}


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--count", "0"], "0 is not allowed, expected 1 or more"),
        (["--count", "nan"], "'nan' is no whole number"),
        (["--count", "inf"], "'inf' is no whole number"),
        (["--count", "x"], "'x' is no number"),
        (["--count", "none"], "'none' is no number"),
        (["--hidden", "32,x"], "'x' is no number"),
        (["--kind", "c"], "known are 'a', 'b'"),
    ],
)
def test_wrong_values(args, says):
    _, result = parse(*args)
    assert result.exit_code == 2
    assert says in result.output


def test_help_shows_defaults_and_presets():
    options = options_of(Everything, preset={"count": 7, "rate": 1e-3}, preset_of="Pong")
    shown = {o.name: o.help for o in options}
    assert shown["count"] == "how many  [Pong: 7]"
    assert shown["rate"] == "how fast  [default: 0.001]"
    assert shown["hidden"] == "units  [default: 64,64]"
    assert shown["limit"] == "where to stop"
    assert shown["on"] == "whether  [default: yes]"


def test_none_is_a_value_only_where_the_type_allows():
    assert Setting(float | None).convert("none", None, None) is None
    assert Setting(str).convert("none", None, None) == "none"
