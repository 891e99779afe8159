"""The house stands as production does: real processes behind proxies, each of which can be killed and comes back."""

from pathlib import Path

from testkit.client import read_log
from testkit.cluster import house


async def test_a_house_survives_its_own_kills(tmp_path: Path):
    """API and worker killed, Postgres crashed, lines cut: the journey goes on and the log has every answer."""
    async with house(tmp_path) as whole:
        client = whole.client()
        ann = await client.sign_up("ann")
        assert await client.sign_in(ann)
        token = await client.verify(ann)
        with whole.fault():
            await whole.workers[0].kill()
            await whole.apis[0].kill()
            await whole.postgres.restart("kill")
            await whole.redis.cut_all()
            for seat in whole.seats:
                await seat.start()
        assert await client.use_verification(ann, token)
        assert await client.use_recovery(ann, await client.recover(ann.email, user=ann.user))
        await whole.all_ended()
        assert [act.name for act in read_log(whole.log) if act.acknowledged] == [
            "sign_up", "sign_in", "verification", "verification_use", "recovery", "recovery_use",
        ]  # fmt: skip
        for seat in whole.seats:
            assert await seat.stop() == 0, seat.written
