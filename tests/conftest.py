"""What all tests share: Hypothesis without deadlines (a first call may load a kernel), the same examples every time."""

import os

import pytest
from hypothesis import settings

settings.register_profile("npgrad", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("npgrad")

BLAS_KERNEL = os.environ.get("OPENBLAS_CORETYPE")


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup():
    """Benchmarks take this variable away; processes that tests start would round otherwise than they do."""
    if BLAS_KERNEL is not None:
        os.environ["OPENBLAS_CORETYPE"] = BLAS_KERNEL
