"""Trained agents: acting on NumPy alone, and their files."""

from .agent import Agent
from .codec import register
from .file import load_agent, save_agent

__all__ = ["Agent", "load_agent", "register", "save_agent"]
