"""Exports: a trained agent as C, ONNX or one Python file, which owe nothing to npgrad (0BSD)."""

from .c import export_c
from .footprint import Footprint, measure

__all__ = ["Footprint", "export_c", "measure"]
