"""npgrad: policy gradients with every gradient derived by hand."""

from ._version import __version__ as __version__
