"""Claims of a worker: each row once at a time, and none whose last claim got no answer."""

from uuid import uuid4

import pytest

from service.db import PostgresGone
from worker.claims import Claims


def test_one_task_claims_a_row():
    """A second task of the worker must not claim what the first is claiming, nor a row whose claim is in doubt."""
    claims, row, other = Claims(), uuid4(), uuid4()
    with claims.claiming(row) as first, claims.claiming(row, other) as second:
        assert (first, second, claims.is_free(other)) == ([row], [other], False)
    claims.unconfirmed.add(row)
    with claims.claiming(row, other) as free:
        assert free == [other]


def test_only_a_fault_of_postgres_leaves_a_claim_in_doubt():
    """Any other error says that nothing was claimed, and the next round may try."""
    claims, row = Claims(), uuid4()
    with pytest.raises(KeyError), claims.claiming(row):
        raise KeyError
    assert not claims.unconfirmed
    claims.unconfirmed.add(other := uuid4())
    with pytest.raises(PostgresGone), claims.claiming(row, other, second := uuid4()):
        raise PostgresGone
    assert claims.unconfirmed == {row, other, second}
    assert claims.lost(busy=[second]) == {row, other}
