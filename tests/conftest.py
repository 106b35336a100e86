"""What all tests share: Hypothesis without deadlines (a first call may load a kernel), the same examples every time."""

from hypothesis import settings

settings.register_profile("npgrad", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("npgrad")
