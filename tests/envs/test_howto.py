"""The page on adding an environment runs as it stands, and its agent learns."""

import re
from pathlib import Path

import gymnasium
import pytest

from npgrad import jit
from npgrad.envs import registry

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "add_an_environment.md"


@pytest.mark.skipif(not PAGE.exists() or not jit.enabled(), reason="no page, or no time for it")
def test_the_page_runs(monkeypatch):
    own = {"Moon-v0", "Rail-v0"}
    for env_id in own:
        monkeypatch.delitem(gymnasium.registry, env_id, raising=False)
    monkeypatch.setattr(registry, "COMPILED", {k: env for k, env in registry.COMPILED.items() if k not in own})
    names = {}
    for block in re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL):
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["before"] < -5
    assert names["after"] > -2.5
    for env_id in own:
        del gymnasium.registry[env_id]
