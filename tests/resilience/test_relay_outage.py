"""The relay goes away, has little room, or meets one bad recipient, with the whole service (F31-F42)."""

import time
from collections import Counter
from pathlib import Path

import pytest

from testkit.cluster import Cluster, start_cluster
from testkit.full import FULL, full
from testkit.history import gather
from testkit.invariants import breaches
from testkit.people import ask, create_people, show
from testkit.waiting import until

# Seconds: what the promise gives the backlog of an outage, and a thousand mails beside a bad one.
DRAINED, BESIDE = 120.0, 60.0
_FULL = [pytest.mark.skipif(not FULL, reason="needs FAULTS=full"), pytest.mark.faults_full]


def logged(cluster: Cluster, event: str) -> int:
    """Count the workers that have logged the event."""
    return sum(any(f'"event":"{event}"' in line for line in process.written) for process in cluster.workers)


async def each_once(cluster: Cluster, count: int) -> None:
    """So many mails, each accepted once, and no invariant broken."""
    copies = Counter(recipient for mail in cluster.sink.mails for recipient in mail.recipients)
    assert (len(copies), set(copies.values())) == (count, {1})
    assert breaches(await gather(cluster)) == []


@pytest.mark.parametrize("workers", [pytest.param(1, marks=_FULL), 2])
async def test_f31_the_relay_is_away(tmp_path: Path, workers: int):
    """Each worker leaves it alone after five failures; what waited and what came meanwhile goes out once, in 2 min."""
    async with start_cluster(tmp_path, workers=workers) as cluster:
        people, clients = await create_people(cluster, 60), [cluster.client()]
        await cluster.smtp.refuse()
        await ask(clients, people[:50])
        await until(lambda: logged(cluster, "relay.circuit_open"), what="no breaker has opened")
        tried = await cluster.postgres.run("select sum(attempts) from mails", database="accounts")
        await ask(clients, people[50:])
        await cluster.smtp.up()
        began = time.monotonic()
        await cluster.all_ended(seconds=DRAINED)
        show(f"{tried} tries in vain; drained {time.monotonic() - began:.1f} s after the relay's return")
        await each_once(cluster, 60)
        await until(lambda: logged(cluster, "relay.circuit_closed"), what="no breaker has closed")


@full
async def test_f31_the_relay_hangs(tmp_path: Path):
    """It takes connections and says nothing, with mails in mid-dialogue: they go out once when it speaks again."""
    async with start_cluster(tmp_path) as cluster:
        people, clients = await create_people(cluster, 20), [cluster.client()]
        await ask(clients, people[:5])
        await cluster.sink.wait_for(5)
        cluster.smtp.change(black_hole=True)
        await ask(clients, people[5:])
        await until(lambda: logged(cluster, "relay.circuit_open"), what="no breaker has opened")
        await cluster.smtp.up()
        await cluster.all_ended(seconds=DRAINED)
        await each_once(cluster, 20)


@pytest.mark.parametrize("workers", [pytest.param(1, marks=_FULL), 2])
async def test_f41_it_takes_two_connections_at_a_time(tmp_path: Path, workers: int):
    """A burst finds out what it bears; from then on it is asked for no more, and every mail goes out once."""
    async with start_cluster(tmp_path, workers=workers) as cluster:
        cluster.sink.most_sessions = 2
        people, clients = await create_people(cluster, 100), [cluster.client()]
        await ask(clients, people)
        await cluster.all_ended(seconds=DRAINED)
        await each_once(cluster, 100)
        show(f"{cluster.sink.turned_away} connections were turned away")
        assert cluster.sink.turned_away < 50, "a storm"


@full
async def test_f41_it_takes_ten_mails_a_minute(tmp_path: Path):
    """SMTP_PER_MINUTE=10 keeps us within that: next to none is turned away, and none is lost."""
    async with start_cluster(tmp_path, SMTP_PER_MINUTE="10") as cluster:
        cluster.sink.most_mails = (10, 60)
        await ask([cluster.client()], await create_people(cluster, 15))
        await cluster.all_ended()
        await each_once(cluster, 15)
        show(f"{cluster.sink.turned_away} mails were turned away")
        assert cluster.sink.turned_away <= 2


@pytest.mark.parametrize("poison", [pytest.param("refused", marks=_FULL), "hangs"])
async def test_f42_one_bad_recipient_among_many(tmp_path: Path, poison: str):
    """The others are out within a minute; the bad one has failed, or goes out later."""
    async with start_cluster(tmp_path) as cluster:
        people, clients = await create_people(cluster, 300), [cluster.client()]
        bad = people[100].email
        if poison == "refused":
            cluster.sink.script("rcpt", "550 5.1.1 nobody", recipient=bad)
        else:
            cluster.sink.script("rcpt", action="hang", recipient=bad, times=1)
        await ask(clients, people)
        await cluster.sink.wait_for(299, timeout=BESIDE)
        cluster.sink.cut_all()
        await cluster.all_ended()
        await each_once(cluster, 299 if poison == "refused" else 300)
