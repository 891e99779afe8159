"""The relay goes away, has little room, or meets one bad recipient, as the whole house lives through it (F31-F42)."""

import time
from collections import Counter
from pathlib import Path

import pytest

from testkit.cluster import House, house
from testkit.crowd import ask, crowd, tell
from testkit.full import FULL, full
from testkit.history import gather
from testkit.invariants import breaches
from testkit.waiting import until

# Seconds: what the promise gives the backlog of an outage, and a thousand mails beside a bad one.
DRAINED, BESIDE = 120.0, 60.0
_FULL = [pytest.mark.skipif(not FULL, reason="needs FAULTS=full"), pytest.mark.faults_full]


def says(whole: House, words: str) -> int:
    """How many workers have said so."""
    return sum(any(words in line for line in seat.written) for seat in whole.workers)


async def each_once(whole: House, count: int) -> None:
    """So many mails, each accepted once, and no invariant broken."""
    copies = Counter(recipient for mail in whole.sink.mails for recipient in mail.recipients)
    assert (len(copies), set(copies.values())) == (count, {1})
    assert breaches(await gather(whole)) == []


@pytest.mark.parametrize("workers", [pytest.param(1, recorder=_FULL), 2])
async def test_f31_the_relay_is_away(tmp_path: Path, workers: int):
    """Each worker leaves it alone after five failures; what waited and what came meanwhile goes out once, in 2 min."""
    async with house(tmp_path, workers=workers) as whole:
        people, clients = await crowd(whole, 60), [whole.client()]
        await whole.smtp.refuse()
        await ask(clients, people[:50])
        await until(lambda: says(whole, "the mail server is left alone"), what="no breaker has opened")
        tried = await whole.postgres.run("select sum(attempts) from mails", database="accounts")
        await ask(clients, people[50:])
        await whole.smtp.up()
        began = time.monotonic()
        await whole.all_ended(seconds=DRAINED)
        tell(f"{tried} tries in vain; drained {time.monotonic() - began:.1f} s after the relay's return")
        await each_once(whole, 60)
        await until(lambda: says(whole, "the mail server is back"), what="no breaker has closed")


@full
async def test_f31_the_relay_hangs(tmp_path: Path):
    """It takes connections and says nothing, with mails in mid-dialogue: they go out once when it speaks again."""
    async with house(tmp_path) as whole:
        people, clients = await crowd(whole, 20), [whole.client()]
        await ask(clients, people[:5])
        await whole.sink.wait_for(5)
        whole.smtp.change(black_hole=True)
        await ask(clients, people[5:])
        await until(lambda: says(whole, "the mail server is left alone"), what="no breaker has opened")
        await whole.smtp.up()
        await whole.all_ended(seconds=DRAINED)
        await each_once(whole, 20)


@pytest.mark.parametrize("workers", [pytest.param(1, recorder=_FULL), 2])
async def test_f41_it_takes_two_connections_at_a_time(tmp_path: Path, workers: int):
    """A burst finds out what it bears; from then on it is asked for no more, and every mail goes out once."""
    async with house(tmp_path, workers=workers) as whole:
        whole.sink.most_sessions = 2
        people, clients = await crowd(whole, 100), [whole.client()]
        await ask(clients, people)
        await whole.all_ended(seconds=DRAINED)
        await each_once(whole, 100)
        tell(f"{whole.sink.turned_away} connections were turned away")
        assert whole.sink.turned_away < 50, "a storm"


@full
async def test_f41_it_takes_ten_mails_a_minute(tmp_path: Path):
    """SMTP_PER_MINUTE=10 keeps us within that: next to none is turned away, and none is lost."""
    async with house(tmp_path, SMTP_PER_MINUTE="10") as whole:
        whole.sink.most_mails = (10, 60)
        await ask([whole.client()], await crowd(whole, 15))
        await whole.all_ended()
        await each_once(whole, 15)
        tell(f"{whole.sink.turned_away} mails were turned away")
        assert whole.sink.turned_away <= 2


@pytest.mark.parametrize("poison", [pytest.param("refused", recorder=_FULL), "hangs"])
async def test_f42_one_bad_recipient_among_many(tmp_path: Path, poison: str):
    """The others are out within a minute; the bad one has failed, or goes out later."""
    async with house(tmp_path) as whole:
        people, clients = await crowd(whole, 300), [whole.client()]
        bad = people[100].email
        if poison == "refused":
            whole.sink.script("rcpt", "550 5.1.1 nobody", recipient=bad)
        else:
            whole.sink.script("rcpt", action="hang", recipient=bad, times=1)
        await ask(clients, people)
        await whole.sink.wait_for(299, timeout=BESIDE)
        whole.sink.cut_all()
        await whole.all_ended()
        await each_once(whole, 299 if poison == "refused" else 300)
