"""Every bad input has one exact answer, and none of them changes anything (figure G22)."""

import pytest

from bench.resilience import bad_inputs
from service.db import Pool
from service.settings import Settings
from testkit import edge
from testkit.api import Api
from testkit.api_keys import key
from tests.integration.api.test_bad_input import everything

pytestmark = pytest.mark.unlimited

ROWS = list(bad_inputs.rows())
_AT_ONCE = 50


async def test_g22_every_bad_input_has_its_answer(api: Api, pool: Pool, settings: Settings):
    """400, general_argument_invalid, and the field's name in the words of the era; afterwards nothing is different."""
    await api.sign_up()
    member = await api.sign_in()
    await api.call("POST", "/v1/users", json={"userId": "ann", "name": "Ann"}, headers=await key(pool))
    who = {"public": {}, "member": member, "key": await key(pool)}
    before = await everything(pool)
    wrong = []
    async with edge.edge(settings) as port:
        for start in range(0, len(ROWS), _AT_ONCE):
            part = ROWS[start : start + _AT_ONCE]
            answers = await edge.ask_all(port, [bad_inputs.request(row, who[row.who]) for row in part])
            wrong += [
                (row.path, row.modern, row.body[:300], told.body)
                for row, told in zip(part, answers, strict=True)
                if not bad_inputs.fits(row, told.status, told.body)
            ]
    assert not wrong, f"{len(wrong)}, of them {wrong[:3]}"
    assert await everything(pool) == before
