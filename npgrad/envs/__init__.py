"""Compiled environments: two plain functions on a block of environments, and what describes them."""

import sys

from .base import CompiledEnv
from .registry import COMPILED, compiled_twin, find, register, register_all

__all__ = ["COMPILED", "CompiledEnv", "compiled_twin", "find", "register", "register_all"]

if hasattr(sys.modules.get("gymnasium"), "register"):
    register_all()
