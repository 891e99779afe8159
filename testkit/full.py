"""Tests of faults that run only when all are requested: FAULTS=full."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest

FULL = os.environ.get("FAULTS") == "full"
Test = TypeVar("Test", bound=Callable[..., object])


_MARKS = (pytest.mark.faults_full, pytest.mark.skipif(not FULL, reason="needs FAULTS=full"))


def full(test: Test) -> Test:
    """One that takes long, or needs what not every machine has."""
    for mark in _MARKS:
        test = mark(test)
    return test


def rarely(*values: object) -> Any:
    """Mark a case of a parametrized test that another case covers on most days."""
    return pytest.param(*values, marks=_MARKS)
