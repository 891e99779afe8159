"""The test cluster: real processes behind proxies, each of which can be killed and started again."""

from pathlib import Path

from testkit.client import read_log
from testkit.cluster import start_cluster


async def test_a_cluster_survives_kills(tmp_path: Path):
    """API and worker killed, Postgres crashed, lines cut: the journey goes on and the log has every answer."""
    async with start_cluster(tmp_path) as cluster:
        client = cluster.client()
        ann = await client.sign_up("ann")
        assert await client.sign_in(ann)
        token = await client.verify(ann)
        with cluster.fault():
            await cluster.workers[0].kill()
            await cluster.apis[0].kill()
            await cluster.postgres.restart("kill")
            await cluster.redis.cut_all()
            for process in cluster.processes:
                await process.start()
        assert await client.use_verification(ann, token)
        assert await client.use_recovery(ann, await client.recover(ann.email, user=ann.user))
        await cluster.all_ended()
        assert [act.name for act in read_log(cluster.log) if act.acknowledged] == [
            "sign_up", "sign_in", "verification", "verification_use", "recovery", "recovery_use",
        ]  # fmt: skip
        for process in cluster.processes:
            assert await process.stop() == 0, process.written
