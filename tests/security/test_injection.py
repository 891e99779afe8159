"""Input of searches, orders, cursors and ids is a value, and never a piece of a statement (S45)."""

from pathlib import Path
from urllib.parse import quote

import orjson
import pytest

from service.db import Pool
from testkit.api import Api
from testkit.api_keys import key
from tests.integration.api.test_bad_input import everything

pytestmark = pytest.mark.unlimited

PAYLOADS = (Path(__file__).parent / "data" / "sql_payloads.txt").read_text().splitlines()


def asked(payload: str) -> dict[str, set[int]]:
    """Every place of a list that takes text, with the statuses that may come of it."""
    text = quote(payload, safe="")
    queries = [
        {"method": "equal", "attribute": "email", "values": [payload]},
        {"method": "equal", "attribute": payload, "values": ["a"]},
        {"method": payload, "attribute": "email", "values": ["a"]},
        {"method": "orderAsc", "attribute": payload},
        {"method": "cursorAfter", "values": [payload]},
        {"method": "limit", "values": [payload]},
        {"method": "search", "attribute": "name", "values": [payload]},
    ]
    return {
        f"/v1/users?search={text}": {200, 400},
        f"/v1/users?cursor={text}": {400},
        f"/v1/users?orderType={text}": {400},
        f"/v1/users?cursorDirection={text}": {400},
        f"/v1/users?limit={text}": {400},
        f"/v1/users?offset={text}": {400},
        f"/v1/users/{text}": {400, 404, 405},
        f"/v1/users/{text}/sessions": {400, 404, 405},
        **{f"/v1/users?queries[]={quote(orjson.dumps(query).decode(), safe='')}": {200, 400} for query in queries},
        f"/v1/users?queries[]=equal({quote(orjson.dumps(payload).decode(), safe='')},[1])": {200, 400},
        f"/v1/users?queries[]={text}": {400},
    }


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_s45_a_payload_is_a_value(api: Api, pool: Pool, payload: str):
    """Found or refused, never a fault, and nothing is shown or changed that was not asked for; both eras."""
    server = await key(pool)
    await api.call("POST", "/v1/users", json={"userId": "ann", "email": "ann@example.com"}, headers=server)
    before = await everything(pool)
    for path, statuses in asked(payload).items():
        for modern in (False, True):
            answer = await api.call("GET", path, headers=server, modern=modern)
            assert answer.status in statuses | ({200} if not modern and "?" in path else set()), (path, answer.data)
            if answer.status == 200 and "queries" in path:
                assert answer.data["users"] == [] or modern is False
    body = {"email": "ann@example.com", "password": payload}
    assert (await api.call("POST", "/v1/account/sessions", json=body)).status == 401
    too_long = len(payload) > 36
    for user_id, secret, status in ((payload, "a", 400 if too_long else 401), ("ann", payload, 401)):
        sent = {"userId": user_id, "secret": secret}
        assert (await api.call("PUT", "/v1/account/verification", json=sent)).status == status
    assert await everything(pool) == before
