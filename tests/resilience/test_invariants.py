"""The checker can fail: a good history has no breach, and each planted one is found by the invariant it breaks."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from devstack.servers import free_port
from testkit.client import Act, Client, read_log
from testkit.cluster import start_cluster
from testkit.history import (
    FeedEvent,
    Filed,
    History,
    Message,
    Report,
    Row,
    Rule,
    SmsMessage,
    SmsRow,
    Step,
    gather,
    known_to,
)
from testkit.invariants import INVARIANTS, breaches
from testkit.sink import Sink

ASKED = Act("recovery", 10, 0.1, 201, user="ann", email="ann@example.com", token="t1")
USED = Act("recovery_use", 20, 0.1, 200, user="ann", token="t1")
SIGNED_IN = Act("sign_in", 5, 0.1, 201, user="ann", session="s1")
SIGNED_OUT = Act("sign_out", 8, 0.1, 204, user="ann", session="s1")
READ = Act("account", 6, 0.1, 200, user="ann", session="s1")
LATE = Act("account", 21, 0.1, 200, user="ann", session="s1")
TEXTED = Act("phone_token", 12, 0.1, 201, user="ann", token="t5")
CUT = Act("recovery", 100, 0.1, 503, user="ann", email="ann@example.com")


def good() -> History:
    """A recovery that was asked for, mailed and used; a session that was opened, used and ended; an SMS.

    A webhook that has two events; a bounce, after which a mail was suppressed.
    """
    return History(
        acts=[SIGNED_IN, READ, SIGNED_OUT, ASKED, USED, TEXTED],
        rows=[Row("m1", "recovery", "sent", "<m1@x>", "t1", "ann"), Row("m5", "otp", "suppressed", "<m5@x>", "t6")],
        steps=[Step("m1", "sent"), Step("m1", "bounced"), Step("m5", "suppressed")],
        messages=[Message("<m1@x>", "d1")],
        sms=[SmsRow("s1", "sent", 1, "t5")],
        sms_messages=[SmsMessage("s1", "a code")],
        filed=[
            Filed("ann", "account.recovery.create"), Filed("ann", "account.recovery.update"),
            Filed("ann", "account.sessions.create"), Filed("ann", "account.sessions.delete"),
        ],
        feed=[FeedEvent(1, "e1", "ann", "delivered"), FeedEvent(2, "e2", "ann", "delivered")],
        posts=["e1", "e1", "e2"],
        posts_taken=["e1", "e2"],
        reports=[Report("m1", "bounced")],
        refused={"t6"},
        leftovers={"events not filed": 0},
        lasting_keys=["accounts:jobs"],
        secrets={"correct horse battery"},
        places={"the log of service 0": "nothing to see"},
        rules=[Rule("recovery", "email", 2, 60)],
    )  # fmt: skip


def test_a_good_history_has_no_breach():
    """A checker that finds fault with everything proves as little as one that finds none."""
    assert breaches(good()) == []


def _void(history: History) -> None:
    history.rows[0] = Row("m1", "recovery", "void", "<m1@x>", "t1")
    history.steps[0], history.messages = Step("m1", "void"), []


def _crashed(history: History) -> None:
    history.messages *= 2
    history.steps.insert(0, Step("m1", "lost"))


def _cut_off(history: History) -> None:
    history.messages *= 2
    history.steps.insert(0, Step("m1", "waits", "dot"))


def _sent_twice(history: History) -> None:
    history.sms = [SmsRow("s1", "sent", 2, "t5")]
    history.sms_messages *= 2


def _cancelled(history: History) -> None:
    history.sms, history.sms_messages = [SmsRow("s1", "cancelled", 0, "t5")], []


def _posted_twice(history: History) -> None:
    history.crashes = 1
    history.posts.append("e2")
    history.posts_taken.append("e2")


def _replayed(history: History) -> None:
    history.replayed = ["e1"]
    history.posts.append("e1")
    history.posts_taken.append("e1")


def _unclear(history: History) -> None:
    history.faults = [(99, 99.5)]
    history.acts.append(CUT)
    history.rows.append(Row("m2", "recovery", "void", "<m2@x>", "t2"))
    history.steps.append(Step("m2", "void"))


@pytest.mark.parametrize(
    "change", [_void, _crashed, _cut_off, _sent_twice, _cancelled, _unclear, _posted_twice, _replayed]
)
def test_what_faults_may_do_is_no_breach(change: Callable[[History], None]):
    """A void end, one more copy after a crash or a cut behind the dot, and a row of a request that was not answered.

    Of an SMS as many copies as attempts, and none where its code was used first. An event once more after a crash, and
    for a replay.
    """
    history = good()
    change(history)
    assert breaches(history) == []


PLANTED: list[tuple[str, Callable[[History], object]]] = [
    ("I1", lambda history: history.rows.clear() or history.messages.clear()),
    ("I1", lambda history: history.messages.clear()),
    ("I1", lambda history: history.steps.clear()),
    ("I1", lambda history: history.rows.append(Row("m2", "otp", "sending", "<m2@x>"))),
    ("I1", lambda history: history.acts.append(Act("email", 30, 0.1, 200, user="bob"))),
    ("I1", lambda history: history.acts.append(Act("authenticator_use", 30, 0.1, 200, user="bob"))),
    ("I1", lambda history: history.sms.clear() or history.sms_messages.clear()),
    ("I1", lambda history: history.sms_messages.clear()),
    ("I1", lambda history: history.sms.append(SmsRow("s2", "sending", 1, "t6"))),
    ("I1", lambda history: history.feed.pop(0)),
    ("I1", lambda history: history.feed.__setitem__(1, FeedEvent(2, "e2", "ann", "pending"))),
    ("I1", lambda history: history.posts_taken.pop()),
    ("I1", lambda history: history.steps.remove(Step("m1", "bounced"))),
    ("I1", lambda history: history.refused.add("t1")),
    ("I2", lambda history: history.posts_taken.append("e1")),
    ("I2", lambda history: history.posts_taken.append("e9")),
    ("I2", lambda history: history.feed.append(FeedEvent(3, "e1", "ann", "delivered"))),
    ("I2", lambda history: history.steps.append(Step("m1", "bounced"))),
    ("I10", lambda history: history.posts.append("e1")),
    ("I2", lambda history: history.sms_messages.append(SmsMessage("s1", "a code"))),
    ("I2", lambda history: history.sms_messages.append(SmsMessage("s9", "a code"))),
    ("I2", lambda history: (_sent_twice(history), history.sms_messages.__setitem__(1, SmsMessage("s1", "another")))),
    ("I2", lambda history: history.sms.append(SmsRow("s2", "failed", 1, "t5"))),
    ("I2", lambda history: history.messages.append(Message("<m1@x>", "d1"))),
    ("I2", lambda history: history.messages.append(Message("<m9@x>", "d9"))),
    ("I2", lambda history: (_crashed(history), history.messages.append(Message("<m1@x>", "d1")))),
    ("I2", lambda history: (_crashed(history), history.messages.__setitem__(1, Message("<m1@x>", "other")))),
    ("I2", lambda history: history.rows.append(Row("m2", "recovery", "void", "<m2@x>", "t1"))),
    ("I2", lambda history: history.rows.append(Row("m2", "recovery", "void", "<m2@x>", "t2"))),
    ("I3", lambda history: history.acts.append(USED)),
    ("I4", lambda history: history.acts.extend([ASKED, ASKED])),
    ("I5", lambda history: history.acts.append(Act("account", 9, 0.1, 200, user="ann", session="s1"))),
    ("I5", lambda history: (history.acts.remove(SIGNED_OUT), history.acts.append(LATE))),
    ("I6", lambda history: history.filed.pop()),
    ("I6", lambda history: history.filed.append(history.filed[0])),
    ("I6", lambda history: history.filed.extend([Filed("bob", "account.create")] * 2)),
    ("I7", lambda history: history.acts.append(CUT)),
    ("I7", lambda history: (history.acts.append(CUT), history.faults.append((-9010, -9000)))),
    ("I7", lambda history: history.acts.append(Act("account", 30, 900.0, 200))),
    ("I8", lambda history: history.places.update({"the table logs": "x correct horse battery y"})),
    ("I9", lambda history: history.leftovers.update({"events not filed": 1})),
    ("I9", lambda history: history.lasting_keys.append("rl:{shop}:x")),
]  # fmt: skip


@pytest.mark.parametrize(("invariant", "plant"), PLANTED)
def test_a_planted_breach_is_found(invariant: str, plant: Callable[[History], object]):
    """Each invariant sees what it is there to see."""
    history = good()
    plant(history)
    assert any(line.startswith(invariant + ":") for line in breaches(history)), breaches(history)


def test_every_invariant_has_its_planted_breach():
    """None of the ten is believed without having failed once."""
    assert {invariant for invariant, _ in PLANTED} == set(INVARIANTS)


def test_a_breach_does_not_tell_the_secret():
    """A report of a leak does not contain the secret."""
    history = good()
    history.places["the table logs"] = "correct horse battery"
    assert "horse" not in "".join(breaches(history))


def test_a_cookie_is_searched_for_in_both_spellings():
    """The cookie's value, and the secret inside it."""
    cookie = "eyJpZCI6ImFubiIsInNlY3JldCI6IjAxMjM0NTY3ODlhYmNkZWYifQ%3D%3D"
    assert known_to([cookie]) == {cookie.replace("%3D", "="), "0123456789abcdef"}


async def test_the_log_is_what_the_client_saw(tmp_path: Path):
    """No answer at all is written down too, and reads back as it was."""
    client = Client(f"http://127.0.0.1:{free_port()}", tmp_path / "log", Sink())
    act, _, _ = await client.call("account", "GET", "/v1/account", user="ann")
    await client.close()
    assert act.unclear
    assert read_log(tmp_path / "log") == [act]


async def test_a_request_is_sent_once(tmp_path: Path):
    """A library that repeats what was cut off would hide from the log that the first may have happened."""

    async def cut(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(1)
        writer.transport.abort()

    calls: list[int] = []
    server = await asyncio.start_server(cut, "127.0.0.1", 0)
    client = Client(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", tmp_path / "log", Sink())
    act, _, _ = await client.call("delete", "DELETE", "/v1/account")
    await client.close()
    server.close()
    assert (act.status, calls) == (0, [1])


async def test_a_real_history_can_be_broken(tmp_path: Path):
    """Gathered from a whole service: no breach at first; then a row vanishes, an orphan comes, a secret is written."""
    async with start_cluster(tmp_path) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        await client.sign_in(ann)
        token = await client.recover(ann.email, user=ann.user)
        await client.recover("nobody@example.com")
        assert await client.use_recovery(ann, token)
        await cluster.all_ended()
        assert breaches(await gather(cluster)) == []

        await cluster.postgres.run("delete from mails where state = 'sent'", database="accounts")
        await cluster.postgres.run("update users set name = $1", ann.password, database="accounts")
        await cluster.postgres.run("delete from logs where name = 'account.create'", database="accounts")
        await cluster.valkey.command("SET", "forgotten", "1")
        found = {line.partition(":")[0] for line in breaches(await gather(cluster))}
        assert found == {"I1", "I2", "I6", "I8", "I9"}
