"""Compiled environments: two plain functions on a block of environments, and what describes them."""

from .base import COMPILED, CompiledEnv, compiled_twin, register

__all__ = ["COMPILED", "CompiledEnv", "compiled_twin", "register"]
