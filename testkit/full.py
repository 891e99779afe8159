"""Tests of faults that run only when all are requested: FAULTS=full."""

import os
import random
from collections.abc import Callable, Collection, Sequence
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


def half_of(points: Sequence[str], *, always: Collection[str]) -> list[str]:
    """All points with FAULTS=full; else half of them in their order: `always`, and others by chance."""
    if FULL:
        return list(points)
    others = [point for point in points if point not in always]
    kept = {*always, *random.sample(others, (len(points) + 1) // 2 - len(always))}
    return [point for point in points if point in kept]


def rarely(*values: object) -> Any:
    """Mark a case of a parametrized test that another case covers on most days."""
    return pytest.param(*values, marks=_MARKS)
