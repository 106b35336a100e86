"""What all tests share: Hypothesis without deadlines (a first call may load a kernel), the same examples every time."""

import os

import pytest
from hypothesis import settings

settings.register_profile("npgrad", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("npgrad")


@pytest.fixture(autouse=True)
def _same_blas_for_children():
    """`npgrad bench` takes this variable away, and processes started later would round otherwise than this one."""
    given = os.environ.get("OPENBLAS_CORETYPE")
    yield
    if given is not None:
        os.environ["OPENBLAS_CORETYPE"] = given
