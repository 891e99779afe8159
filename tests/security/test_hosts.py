"""The Host of a request changes no link, and may be limited to our own names (docs/security.md S28)."""

import email
import email.policy
import re
from collections.abc import AsyncIterator

import pytest

from service.db import Pool
from service.queue import JobQueue, connect
from service.settings import Settings
from testkit import edge
from testkit.api import Api
from testkit.sink import Sink
from tests.integration.worker.conftest import staffed
from worker.relays import RelayPool, SmtpUrl

pytestmark = pytest.mark.unlimited

HEADERS = [
    {}, {"Host": "evil.test"}, {"Host": "evil.test:443"}, {"X-Forwarded-Host": "evil.test"},
    {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "https", "X-Forwarded-Port": "1"}, {"X-Host": "evil.test"},
    {"Forwarded": "host=evil.test;proto=https"}, {"X-Original-URL": "http://evil.test/"}, {"X-Rewrite-URL": "/evil"},
    {"X-Forwarded-Server": "evil.test"}, {"X-HTTP-Host-Override": "evil.test"}, {"Via": "1.1 evil.test"},
    {"Origin": "http://localhost"}, {"Referer": "http://localhost/evil"}, {"X-Forwarded-Prefix": "/evil"},
    {"X-Forwarded-For": "6.6.6.6"}, {"Host": "localhost.evil.test"}, {"Host": "evil.test", "Origin": "http://localhost"},
]  # fmt: skip


async def test_s28_no_header_changes_a_mail(api: Api, pool: Pool, settings: Settings, redis_url: str):
    """Whatever a request says of hosts, the mail that arrives is the same but for its own ids and dates."""
    await api.sign_up()
    member = await api.sign_in()
    redis = connect(redis_url)
    found = set()
    async with Sink() as sink:
        relay = RelayPool(SmtpUrl("127.0.0.1", sink.port, tls="none"), connections=1)
        delivery = staffed(pool, relay, JobQueue(redis), settings, "one")
        for headers in HEADERS:
            for path, body in (
                ("recovery", {"email": "ann@example.com", "url": "http://localhost/reset"}),
                ("sessions/magic-url", {"email": "ann@example.com"}),
                ("verification", {"url": "http://localhost/proof"}),
            ):
                await pool.execute("delete from mails")
                answer = await api.call("POST", f"/v1/account/{path}", json=body, headers=headers | member)
                assert answer.status == 201, (headers, answer.data)
                await delivery.deliver((await pool.fetchrow("select id from mails"))[0])
                found.add((path, sink.mails[-1].recipients, masked(sink.mails[-1].content)))
        await relay.close()
    await redis.aclose(close_connection_pool=True)
    assert len(sink.mails) == 3 * len(HEADERS)
    assert len(found) == 3
    assert "evil" not in str(found)


def masked(content: bytes) -> str:
    """A mail without what is its own: its id, its dates, its boundary, whom and what its link proves."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    # As the parts are read: how their bytes are broken into lines depends on the link.
    parts = [f"{part.items()}\n{part.get_content()}" for part in message.iter_parts()]
    text = "\n".join([*map(str, message.items()), *parts]).replace(str(message.get_boundary()), "B")
    text = text.replace(str(message["Message-ID"]), "I").replace(str(message["Date"]), "D")
    text = re.sub(r"(secret|userId|expire)=[^&\s\"<]+", r"\1=X", text)
    return re.sub(r"\d{1,2}:\d\d", "T", text)


@pytest.fixture
async def port(settings: Settings, api: Api) -> AsyncIterator[int]:
    own = settings.model_copy(
        update={"public_url": "https://accounts.example.net:8443", "hosts": "accounts.internal, [::1], localhost"}
    )
    async with edge.edge(own) as port:
        yield port


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("accounts.example.net:8443", 401), ("accounts.example.net", 401), ("ACCOUNTS.example.net:1", 401),
        ("accounts.internal", 401), ("accounts.internal:8080", 401), ("[::1]:8080", 401), ("localhost", 401),
        ("evil.test", 400), ("accounts.example.net.evil.test", 400), ("evil-accounts.example.net", 400),
        ("accounts.example.net:8443@evil.test", 400), ("internal", 400), ("127.0.0.1", 400), ("[::2]", 400),
        ("accounts.example.net.", 400), (" ", 400), ("accounts.example.net:", 400),
        ("accounts.internal,localhost", 400),
    ],
)  # fmt: skip
async def test_s28_only_our_names_are_answered(port: int, host: str, status: int):
    """With HOSTS set, a Host that is neither listed nor PUBLIC_URL's is refused before anything else is looked at."""
    raw = f"GET /v1/account HTTP/1.1\r\nHost: {host}\r\nX-Appwrite-Project: shop\r\n\r\n"
    told = await edge.ask(port, raw.encode())
    assert told.status == status
    if status == 400:
        assert told.data["type"] == "general_argument_invalid"
