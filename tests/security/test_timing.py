"""The time of an answer tells nothing (S01 to S09; the figure G10 in short)."""

import random
import re

import pytest

from bench.resilience import timing_enumeration
from service.db import Pool
from service.settings import Settings
from service.store.projects import Project
from testkit import processes

_COUNT = 40


@pytest.mark.parametrize(
    "question", [one for one in timing_enumeration.QUESTIONS if not one.revealed], ids=lambda one: one.name
)
async def test_s09_somebody_and_nobody_take_as_long(
    environment: dict[str, str], settings: Settings, pool: Pool, project: Project, question: timing_enumeration.Question
):
    """Of answers about somebody and nobody neither has another status, nor is the quicker as far as so few can show."""
    async with processes.api(environment | {"LIMITS": "off", "SMS_URL": "log:"}) as (_, address):
        rows = [row async for row in timing_enumeration.ask(address, pool, settings.key_ring, _COUNT, 1, [question])]
    assert len(rows) == len(question.kinds)
    for row in rows:
        assert "nobody" not in row.value, row  # it would have another status
        found = float(re.search(r"AUC ([0-9.]+)", row.value)[1])
        assert abs(found - 0.5) <= 4 * timing_enumeration.deviation(_COUNT) + timing_enumeration.GOAL, row


def test_the_measure_sees_what_it_is_for():
    """Two classes that are one lie about the middle; a return a tenth earlier is as good as certain."""
    chance = random.Random(1)
    one, other = ([chance.gauss(10, 0.5) for _ in range(2000)] for _ in range(2))
    assert abs(timing_enumeration.auc(one, other) - 0.5) <= 4 * timing_enumeration.deviation(2000)
    assert timing_enumeration.auc(one, [value * 0.8 for value in other]) > 0.95
    assert timing_enumeration.auc([1.0] * 9, [1.0] * 9) == 0.5
