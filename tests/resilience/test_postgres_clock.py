"""The clock of Postgres jumps by an hour (F13): expiry and leases go by it, and nothing falls over.

The clock of the machine can't be set by a test. What its statements see can: a schema that is looked through before
Postgres's own has a now() and a clock_timestamp() that are off by what stands in a table.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from testkit.cluster import DATABASE, Cluster, start_cluster
from testkit.full import rarely
from testkit.history import gather
from testkit.invariants import breaches
from testkit.letters import text_of
from testkit.postgres import session
from testkit.waiting import until

_CLOCK = f"""
    create schema clock;
    create table clock.shift (minutes int not null);
    insert into clock.shift values (0);
    create function clock.now() returns timestamptz language sql stable as
        'select pg_catalog.now() + make_interval(mins => minutes) from clock.shift';
    create function clock.clock_timestamp() returns timestamptz language sql volatile as
        'select pg_catalog.clock_timestamp() + make_interval(mins => minutes) from clock.shift';
    alter database {DATABASE} set search_path = clock, pg_catalog, public;
"""
# Defaults were bound to Postgres's own functions when the tables were made.
_DEFAULTS = """
    select format('alter table %s alter column %I set default clock.%s', c.oid::regclass, a.attname,
        replace(pg_get_expr(d.adbin, d.adrelid), 'pg_catalog.', ''))
    from pg_attrdef d join pg_class c on c.oid = d.adrelid
    join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum
    where c.relnamespace = 'public'::regnamespace
        and pg_get_expr(d.adbin, d.adrelid) in
            ('now()', 'clock_timestamp()', 'pg_catalog.now()', 'pg_catalog.clock_timestamp()')
"""


@asynccontextmanager
async def on_a_clock(folder: Path, *, workers: int = 1) -> AsyncIterator[Cluster]:
    """A cluster whose Postgres has a clock that `jump` sets."""
    async with start_cluster(folder, workers=workers) as cluster:
        async with session(cluster.postgres.url(DATABASE)) as connection:
            await connection.execute(_CLOCK)
            words = [row[0] for row in await connection.fetch(_DEFAULTS)]
            assert len(words) > 10
            await connection.execute(";".join(words))
        # Sessions that are open go by the old clock.
        with cluster.fault():
            await cluster.db.cut_all()
        yield cluster


async def jump(cluster: Cluster, minutes: int) -> None:
    """So far from the machine's own time."""
    await cluster.postgres.run("update clock.shift set minutes = $1", minutes, database=DATABASE)


async def test_f13_links_and_sessions_expire_by_the_clock_of_postgres(tmp_path: Path):
    """An hour later a link is late, a session of a year is not; new links work, before and after it jumps back."""
    async with on_a_clock(tmp_path) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        assert await client.sign_in(ann)
        late = await client.recover(ann.email, user=ann.user)
        await client.secret_of(late)
        await jump(cluster, 61)
        assert not await client.use_recovery(ann, late)
        assert (await client.account(ann)).status == 200
        token = await client.verify(ann)
        assert await client.use_verification(ann, token)
        await jump(cluster, -61)
        assert (await client.account(ann)).status == 200
        assert await client.use_recovery(ann, await client.recover(ann.email, user=ann.user))
        await cluster.all_ended()
        assert breaches(await gather(cluster)) == []
        assert all(process.running for process in cluster.processes)


@pytest.mark.parametrize("minutes", [30, rarely(-30)])
async def test_f13_a_mail_in_hand_goes_out_once(tmp_path: Path, minutes: int):
    """Leases run out at once, or last longer: who has the mail asks before the words go out, and one goes out."""
    async with on_a_clock(tmp_path, workers=2) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        cluster.sink.script("rcpt", action="hang", times=1)
        token = await client.recover(ann.email, user=ann.user)
        await until(lambda: cluster.sink.rules[0].left == 0, what="nobody sends it")
        await jump(cluster, minutes)
        if minutes < 0:
            cluster.sink.cut_all()
        assert await client.use_recovery(ann, token)
        await cluster.all_ended()
        assert sum("/reset" in text_of(mail) for mail in cluster.sink.mails) == 1
        assert breaches(await gather(cluster)) == []
