"""Which tests of faults are run only when all are asked for: FAULTS=full."""

import os
from collections.abc import Callable
from typing import TypeVar

import pytest

FULL = os.environ.get("FAULTS") == "full"
Test = TypeVar("Test", bound=Callable[..., object])


def full(test: Test) -> Test:
    """One that takes long, or needs what not every machine has."""
    skipped: Test = pytest.mark.skipif(not FULL, reason="needs FAULTS=full")(test)
    return pytest.mark.faults_full(skipped)
