"""Counts of sign-ins and proofs."""

import pytest

from service.app import routes
from service.http.auth_metrics import EVENTS, outcome_of


def test_events_are_of_routes():
    """A renamed handler breaks this test, and no count in silence."""
    assert EVENTS.keys() <= {route.name for route in routes()}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, "success"), (303, "success"), (401, "refused"), (429, "limited"), (500, "error"), (503, "error")],
)
def test_outcomes(status: int, outcome: str):
    """A full rate limit and a fault of the service are told from a wrong secret."""
    assert outcome_of(status) == outcome
