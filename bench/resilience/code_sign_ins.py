"""People who sign in by codes of SMS and of an authenticator app while something breaks."""

import time
from collections import Counter
from dataclasses import dataclass

from bench.resilience.result import Row
from service.crypto import totp
from service.crypto.secret import Secret
from service.db import Pool
from testkit.client import OLD, Member, Unanswered
from testkit.cluster import DATABASE, Cluster
from testkit.history import History
from testkit.second_factor_client import SecondFactorClient
from testkit.sms_invariants import PROMISES
from testkit.sms_sink import Reply, SmsSink, allow

# Seconds that a person waits for a code, and for an answer, before beginning anew.
_PATIENCE = 120.0
# Seconds between an SMS and the webhook's answer, in which a worker may be killed.
_ANSWER = 0.3


def webhook() -> SmsSink:
    """Make the webhook of a cluster's processes. It answers as slowly as a provider does after it has sent an SMS."""
    kid, _, key = OLD.partition(":")
    return SmsSink({kid: bytes.fromhex(key)}, always=Reply(seconds=_ANSWER))


@dataclass
class CodeUser:
    """A person with a phone and an app; `step` is that of the app's newest code that was used.

    `unserved` are the times that no code which works came, or no answer; `refused` are an app's codes that were of no
    use in time.
    """

    client: SecondFactorClient
    member: Member
    secret: Secret
    step: int
    unserved: int = 0
    refused: int = 0

    async def sign_in(self) -> None:
        """Sign in by phone and app; by password and phone while the app has no code that is new."""
        try:
            if self.step <= _now():
                await self._by_phone_and_app()
            else:
                await self.client.prove(self.member, "phone")
        except (TimeoutError, Unanswered):
            self.unserved += 1

    async def _by_phone_and_app(self) -> None:
        signed_in = await self.client.sign_in_by_phone(self.member)
        assert await self.client.lacks_factor(signed_in)
        self.step = max(_now(), self.step + 1)
        if not await self.client.prove_by_app(signed_in, self.secret, self.step):
            self.refused += _now() <= self.step + 1


async def code_users(cluster: Cluster, sink: SmsSink, *, number: int) -> list[CodeUser]:
    """Sign so many people up, whose sessions need a second factor from then on."""
    pool = Pool(cluster.postgres.url(DATABASE), size=1, name="figure")
    await allow(pool, "+49")
    await pool.close()
    return [await _code_user(cluster, sink, each) for each in range(number)]


async def _code_user(cluster: Cluster, sink: SmsSink, number: int) -> CodeUser:
    address = cluster.apis[number % len(cluster.apis)].address
    client = SecondFactorClient(address, cluster.log, cluster.sink, _PATIENCE, webhook=sink)
    cluster.clients.append(client)
    member = await client.sign_up(f"c{number}")
    assert await client.sign_in(member)
    assert await client.use_verification(member, await client.verify(member))
    await client.set_phone(member, f"+4915112345{number:03}")
    await client.verify_phone(member)
    secret = await client.enrol(member)
    await client.ask_for_factors(member)
    return CodeUser(client, member, secret, _now())


def _now() -> int:
    return int(time.time()) // totp.STEP


def rows(history: History, users: list[CodeUser], sink: SmsSink) -> list[Row]:
    """Make the table's rows of SMS and codes; what is lost or doubled against the rules is among the breaches."""
    accepted = [act for act in history.acts if act.acknowledged and act.name in PROMISES]
    copies = Counter(message.id for message in history.sms_messages)
    ends = Counter(row.state for row in history.sms)
    uncopied = sum(row.state == "failed" and row.id not in copies for row in history.sms)
    uses = Counter(act.name for act in history.acts if act.acknowledged and act.name.endswith("_use"))
    refused = sum(user.refused for user in users)
    return [
        Row("SMS accepted", str(len(accepted))),
        Row("their ends", ", ".join(f"{number} {state}" for state, number in sorted(ends.items()))),
        Row("SMS of wrong signature", str(len(sink.faults)), "0", not sink.faults),
        Row("second and third copies of an SMS", str(copies.total() - len(copies))),
        Row("SMS given up after three sends that died with their workers, none of which arrived", str(uncopied)),
        Row("sign-ins by phone code", str(uses["phone_session_use"])),
        Row("second factors by phone code", str(uses["challenge_phone_use"])),
        Row("second factors by the app's code", str(uses["challenge_totp_use"])),
        Row("codes of the app refused in their time", str(refused), "0", not refused),
        Row("sign-ins for which no code came in 120 s", str(sum(user.unserved for user in users))),
    ]
