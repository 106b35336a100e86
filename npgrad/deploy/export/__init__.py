"""Exports: a trained agent as C, ONNX or one Python file, which owe nothing to npgrad (0BSD)."""

from .c import export_c
from .footprint import CORTEX_M4, Footprint, measure
from .numpy_file import export_numpy
from .onnx_graph import export_onnx

__all__ = ["CORTEX_M4", "Footprint", "export_c", "export_numpy", "export_onnx", "measure"]
