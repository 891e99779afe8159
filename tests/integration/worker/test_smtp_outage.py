"""F31: a server that is away is left alone, another stands in for it, and it is back by a probe."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from testkit.sink import Sink
from testkit.sink import Stage as SinkStage
from tests.integration.worker.relays import ANN, BOB, MESSAGE, SENDER, SHORT, kept, outcome, recovered, relay
from worker.relays import Deadlines, DeliveryFailure, RelayPool, SmtpUrl, TemporaryFailure
from worker.relays.circuit_breaker import REST, TRIES, CircuitBreaker
from worker.relays.smtp import transport

LONG = 1000.0  # a rest that no test lives to see the end of


async def test_f31_nobody_listens() -> None:
    """A closed port is TemporaryFailure, and mail flows as soon as somebody listens again."""
    sink = Sink()
    await sink.start()
    await sink.close()
    async with relay(sink) as opened:
        fault = await outcome(opened)
        assert (type(fault), fault.code, fault.stage) == (TemporaryFailure, 0, "connect")
        assert fault.text == "refuses connections: is it running, and is that its address?"
        async with sink:
            await opened.send(SENDER, ANN, MESSAGE)
            await opened.close()
    assert len(sink.mails) == 1


async def test_f31_a_name_that_resolves_to_nothing() -> None:
    """A host that can't be found is TemporaryFailure, within the deadline."""
    server = SmtpUrl("nowhere.invalid", 25, tls="none")
    opened = RelayPool(server, deadlines=Deadlines(connect=2.0))
    fault = await outcome(opened)
    assert (type(fault), fault.stage) == (TemporaryFailure, "connect")
    assert fault.text == "has a host name that can't be resolved: mend SMTP_URL"
    await opened.close()


@asynccontextmanager
async def away() -> AsyncIterator[Sink]:
    """A sink that nobody can reach, until the test starts it."""
    sink = Sink()
    await sink.start()
    await sink.close()
    try:
        yield sink
    finally:
        await sink.close()


def state(opened: RelayPool, sink: Sink) -> str:
    return opened.states()[f"127.0.0.1:{sink.port}"]


async def fail(opened: RelayPool, times: int = TRIES, **options: Any) -> list[DeliveryFailure]:
    return [await outcome(opened, **options) for _ in range(times)]


async def sends(opened: RelayPool) -> str:
    """The port of the server that took a mail."""
    accepted = await opened.send(SENDER, ANN, MESSAGE)
    return accepted.server.rpartition(":")[2]


# --- the breaker -------------------------------------------------------------------------------------------


async def test_f31_five_failures_open_it() -> None:
    """After five failures in a row a server is left alone: mails fail at once, and nothing more is claimed."""
    async with away() as sink, relay(sink, rest=LONG) as opened:
        await fail(opened, TRIES - 1)
        assert (opened.is_available(), state(opened, sink)) == (True, "closed")
        await fail(opened, 1)
        assert (opened.is_available(), state(opened, sink)) == (False, "open")
        async with sink:
            fault = await outcome(opened)
            assert (type(fault), fault.stage, fault.cause) == (TemporaryFailure, "connect", "server")
            assert "left alone" in fault.text
            assert sink.connections == 0


async def test_f31_the_numbers() -> None:
    """Five failures and a probe each ten seconds, as promised."""
    assert (TRIES, REST, CircuitBreaker().rest) == (5, 10.0, 10.0)


async def test_f31_a_probe_brings_it_back() -> None:
    """The keeper finds out that the server is well again, without a mail, and says so."""
    async with away() as sink, kept(sink) as opened:
        await fail(opened)
        async with sink:
            await recovered(opened)
            assert (opened.is_available(), state(opened, sink)) == (True, "closed")
            assert (sink.connections, [line[:4] for line in sink.commands]) == (1, ["EHLO"])
            await opened.send(SENDER, ANN, MESSAGE)
            # The probe's connection is good for mail.
            assert sink.connections == 1
            await opened.close()
    assert len(sink.mails) == 1


async def test_f31_a_failed_probe_leaves_it_open() -> None:
    """While probes fail the server stays alone, and each probe is one connection."""
    async with Sink() as sink, kept(sink) as opened:
        sink.script("banner", "421 4.3.2 not yet", times=TRIES + 3)
        await fail(opened)
        await sink.wait_for(lambda sink: sink.connections == TRIES + 3)
        assert state(opened, sink) in {"open", "half_open"}
        await recovered(opened)
        assert sink.connections == TRIES + 4


async def test_f31_half_open_is_told() -> None:
    """While a probe is under way the state says so, no mail goes there, and a stopped keeper leaves it open."""
    async with Sink() as sink, relay(sink, rest=0.0) as opened:
        sink.script("banner", "421 4.3.2 not yet", times=TRIES)
        await fail(opened)
        sink.script("banner", action="hang", times=1)
        keeping = asyncio.create_task(opened.run_probes())
        await sink.wait_for(lambda sink: sink.connections == TRIES + 1)
        assert (state(opened, sink), opened.is_available()) == ("half_open", False)
        assert "left alone" in (await outcome(opened)).text
        keeping.cancel()
        await asyncio.wait({keeping})
        assert state(opened, sink) == "open"
        await sink.wait_for(lambda sink: not sink.sessions)


async def test_f31_a_silent_probe_is_not_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that fell into a black hole has another beside it, long before its own deadline."""
    monkeypatch.setattr(transport, "_SILENT", 0.05)
    async with Sink() as sink, kept(sink) as opened:
        sink.script("banner", "421 4.3.2 not yet", times=TRIES)
        await fail(opened)
        sink.script("banner", action="hang", times=2)
        await recovered(opened)
        assert state(opened, sink) == "closed"
        await opened.send(SENDER, ANN, MESSAGE)
        await sink.wait_for(lambda sink: len(sink.sessions) == 1)
    assert sink.mails[0].connection == TRIES + 3


async def test_f31_a_silent_probe_holds_up_no_other() -> None:
    """While one server's probe waits for its banner another server is found well."""
    async with Sink() as first, away() as second, kept(first, second) as opened:
        first.script("banner", "421 4.3.2 not yet", times=TRIES)
        await fail(opened)
        first.script("banner", action="hang")
        await first.wait_for(lambda sink: sink.connections == TRIES + 1)
        async with second:
            await recovered(opened)
            assert await sends(opened) == str(second.port)
            await opened.close()
        assert state(opened, first) == "half_open"


async def test_f31_the_first_failure_after_a_probe_opens_it() -> None:
    """To greet is less than to carry: after a good probe one failure is enough, and one success clears all."""
    async with Sink() as sink, kept(sink) as opened:
        sink.script("mail", "451 4.3.0 ill", times=TRIES + 1)
        await fail(opened)
        await recovered(opened)
        await fail(opened, 1)
        assert state(opened, sink) != "closed"
        await recovered(opened)
        await opened.send(SENDER, ANN, MESSAGE)
        sink.script("mail", "451 4.3.0 ill", times=TRIES - 1)
        await fail(opened, TRIES - 1)
        assert state(opened, sink) == "closed"


async def test_f31_without_a_keeper_a_mail_is_the_probe() -> None:
    """If nobody probes, a mail may try once in a rest, so that a forgotten keeper stops nothing for good."""
    async with away() as sink, relay(sink, rest=0.0) as opened:
        await fail(opened)
        async with sink, asyncio.timeout(10):
            while not opened.is_available():  # noqa: ASYNC110 - the clock can't be awaited
                await asyncio.sleep(0.001)
            await opened.send(SENDER, ANN, MESSAGE)
            assert state(opened, sink) == "closed"
            await opened.close()


COUNTED: list[tuple[SinkStage, str, str]] = [
    ("banner", "421 4.3.2 busy", "reply"),
    ("banner", "554 5.7.1 go away", "reply"),
    ("banner", "", "hang"),
    ("ehlo", "502 5.5.1 no", "reply"),
    ("ehlo", "", "cut"),
    ("mail", "421 4.3.2 going down", "reply"),
    ("mail", "451 4.3.0 ill", "reply"),
    ("mail", "530 5.7.0 sign in", "reply"),
    ("rcpt", "", "hang"),
    ("rcpt", "451 4.3.0 ill", "reply"),
    ("data", "", "cut"),
    ("dot", "", "hang"),
    ("dot", "452 4.3.1 disk full", "reply"),
]


@pytest.mark.parametrize(("stage", "reply", "action"), COUNTED)
async def test_f31_what_opens_it(stage: SinkStage, reply: str, action: Any) -> None:
    """Silence, cuts and refusals of the server as a whole, at any stage, open the breaker."""
    async with Sink() as sink, relay(sink, deadlines=SHORT, rest=LONG) as opened:
        sink.script(stage, reply, action=action)
        for number in range(TRIES):
            await outcome(opened, f"user{number}@example.org", sender=f"sender{number}@example.com")
        assert state(opened, sink) == "open"
        assert not sink.mails


@pytest.mark.parametrize(
    ("stage", "reply"),
    [("rcpt", "450 4.2.0 greylisted"), ("rcpt", "550 5.1.1 nobody"), ("dot", "554 5.7.1 spam"), ("rcpt", "530 who")],
)
async def test_f31_what_does_not_open_it(stage: SinkStage, reply: str) -> None:
    """A server's reply about one recipient or letter opens no circuit breaker."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script(stage, reply, recipient=BOB)
        await fail(opened, 3 * TRIES, recipient=BOB)
        assert state(opened, sink) == "closed"


async def test_f31_one_refused_sender_stops_no_other() -> None:
    """A project's wrong sender address, refused again and again, doesn't cost the others their relay."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script("mail", "550 5.7.1 sender not allowed", times=3 * TRIES)
        await fail(opened, 3 * TRIES)
        assert state(opened, sink) == "closed"


async def test_f31_a_lost_lease_is_not_its_fault(caplog: pytest.LogCaptureFixture) -> None:
    """A mail that the fence stops says nothing about the server, and calls no operator."""

    async def no() -> bool:
        return False

    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        await fail(opened, 2 * TRIES, before_data=no)
        assert state(opened, sink) == "closed"
    assert not [record for record in caplog.records if record.name.startswith("worker.relays")]


async def test_f31_waiting_connections_are_let_go() -> None:
    """With the breaker its idle connections go too: who knows what they are worth."""
    async with Sink() as sink, relay(sink, connections=3, rest=LONG) as opened:
        await asyncio.gather(*(opened.send(SENDER, ANN, MESSAGE) for _ in range(3)))
        sink.script("mail", "451 4.3.0 ill", times=TRIES)
        await fail(opened)
        await sink.wait_for(lambda sink: not sink.sessions)


async def test_connections_without_work_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """The keeper says goodbye on what has rested for long: the server may count it, and others need it."""
    monkeypatch.setattr("worker.relays.smtp.connection_pool._LONGEST_REST", -1.0)
    async with Sink() as sink, kept(sink) as opened:
        await asyncio.gather(*(opened.send(SENDER, ANN, MESSAGE) for _ in range(3)))
        await sink.wait_for(lambda sink: not sink.sessions)
        assert sink.commands.count("QUIT") == sink.connections
        await opened.send(SENDER, ANN, MESSAGE)
    assert len(sink.mails) == 4


async def test_f31_those_in_the_queue_fail_at_once() -> None:
    """Mails that wait for a connection when the breaker opens don't try one after the other."""
    async with Sink() as sink, relay(sink, connections=1, rest=LONG) as opened:
        sink.script("banner", "421 4.3.2 not now")
        faults = await asyncio.gather(*(outcome(opened) for _ in range(50)))
    assert sink.connections == TRIES
    assert sum("left alone" in fault.text for fault in faults) == 50 - TRIES


async def test_f31_two_thousand_after_an_outage() -> None:
    """All mails of an outage go out over few connections once the server is back, each once."""
    async with away() as sink, kept(sink) as opened:
        await fail(opened)
        async with sink:
            await recovered(opened)
            await asyncio.gather(*(opened.send(SENDER, f"user{n}@example.org", MESSAGE) for n in range(2000)))
            await opened.close()
    assert len({mail.recipients for mail in sink.mails}) == len(sink.mails) == 2000
    assert sink.connections <= 10 + 2000 // 100


# --- failover ----------------------------------------------------------------------------------------------


async def test_f31_another_server_stands_in() -> None:
    """A mail that the first server can't take goes to the second in the same try, and later ones at once."""
    async with away() as first, Sink() as second, relay(first, second, rest=LONG) as opened:
        for _ in range(TRIES):
            assert await sends(opened) == str(second.port)
        assert opened.states() == {f"127.0.0.1:{first.port}": "open", f"127.0.0.1:{second.port}": "closed"}
        assert opened.is_available()
        async with first:
            assert await sends(opened) == str(second.port)
            assert first.connections == 0
    assert len(second.mails) == TRIES + 1


@pytest.mark.parametrize("stage", ["banner", "ehlo"])
async def test_f31_a_spare_is_asked_before_all_of_the_time_is_over(stage: SinkStage) -> None:
    """A preferred relay that is silent is waited for a while only; the last of them has the whole time of each step."""
    async with Sink() as first, Sink() as second, relay(first, second, deadlines=Deadlines(failover=0.5)) as opened:
        first.script(stage, action="hang")
        second.script(stage, f"{220 if stage == 'banner' else 250} {'.' * 20}", action="drip", pause=0.05)
        assert await sends(opened) == str(second.port)


async def test_f31_the_first_comes_back() -> None:
    """Once a probe finds the preferred server well, mails go there again."""
    async with away() as first, Sink() as second, kept(first, second) as opened:
        for _ in range(TRIES):
            await sends(opened)
        async with first:
            await recovered(opened)
            assert await sends(opened) == str(first.port)
            await opened.close()


async def test_f31_all_are_away() -> None:
    """With every breaker open nothing is ready; one server that is back is enough."""
    async with away() as first, away() as second, kept(first, second) as opened:
        await fail(opened)
        assert not opened.is_available()
        async with second:
            await recovered(opened)
            assert opened.is_available()
            assert await sends(opened) == str(second.port)
            await opened.close()


@pytest.mark.parametrize(
    ("stage", "reply", "action"),
    [
        ("banner", "554 5.7.1 go away", "reply"),
        ("ehlo", "", "cut"),
        ("mail", "550 5.7.1 sender not allowed", "reply"),
        ("mail", "", "hang"),
        ("rcpt", "554 5.7.1 Relay access denied", "reply"),
        ("rcpt", "421 4.3.2 going down", "reply"),
        ("rcpt", "", "cut"),
    ],
)
async def test_f31_before_data_another_is_asked(stage: SinkStage, reply: str, action: Any) -> None:
    """Until DATA a fault of the server, or of ours with it, costs no try; the fence is asked where DATA follows."""
    asked = []

    async def yes() -> bool:
        asked.append(True)
        return True

    async with Sink() as first, Sink() as second, relay(first, second, deadlines=SHORT) as opened:
        first.script(stage, reply, action=action)
        accepted = await opened.send(SENDER, ANN, MESSAGE, before_data=yes)
        assert accepted.server.endswith(f":{second.port}")
    assert (len(first.mails), len(second.mails), asked) == (0, 1, [True])


@pytest.mark.parametrize(
    ("stage", "reply", "action"),
    [
        ("rcpt", "450 4.2.0 greylisted", "reply"),
        ("rcpt", "550 5.1.1 nobody", "reply"),
        ("data", "451 4.3.0 ill", "reply"),
        ("data", "", "cut"),
        ("content", "", "cut"),
        ("dot", "", "cut"),
        ("dot", "", "hang"),
        ("dot", "452 4.3.1 disk full", "reply"),
    ],
)
async def test_f37_from_data_on_no_other_is_asked(stage: SinkStage, reply: str, action: Any) -> None:
    """A mail that may have been sent, or that its recipient's server refused, is never offered to a second server."""
    async with Sink() as first, Sink() as second, relay(first, second, deadlines=SHORT) as opened:
        first.script(stage, reply, action=action)
        fault = await outcome(opened)
        assert fault.server.endswith(f":{first.port}")
    assert second.connections == 0


async def test_a_stopped_mail_goes_nowhere() -> None:
    """A mail whose fence refuses goes to no other server."""

    async def no() -> bool:
        return False

    async with Sink() as first, Sink() as second, relay(first, second) as opened:
        assert (await outcome(opened, before_data=no)).stage == "fence"
    assert (len(first.mails), second.connections) == (0, 0)


async def test_the_last_fault_is_told() -> None:
    """A mail that no server took has the last one's answer; a server that was left alone has none."""
    async with Sink() as first, away() as second, relay(first, second, rest=LONG) as opened:
        first.script("mail", "451 4.3.0 ill")
        faults = await fail(opened, TRIES + 1)
        assert {fault.server for fault in faults[:-1]} == {f"127.0.0.1:{second.port}"}
        # Both are left alone now.
        assert "left alone" in faults[-1].text
        assert first.connections == 1


# --- who is told -------------------------------------------------------------------------------------------


async def test_an_operator_is_called_once_a_change(caplog: pytest.LogCaptureFixture) -> None:
    """A fault of ours is an error in the log once, not once a mail, and again when it comes back."""
    caplog.set_level(logging.INFO)
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        for _ in range(2):
            sink.script("mail", "550 5.7.1 sender not allowed", times=3)
            await fail(opened, 3)
            await opened.send(SENDER, ANN, MESSAGE)
    calls = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.event for record in calls] == ["relay.refused"] * 2
    assert {(record.server, record.stage, record.code) for record in calls} == {(f"127.0.0.1:{sink.port}", "mail", 550)}


async def test_an_outage_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    """That a server is left alone is said once, with the last fault, and that it is back once."""
    caplog.set_level(logging.INFO)
    async with away() as sink, kept(sink) as opened:
        await fail(opened, 3 * TRIES)
        async with sink:
            await recovered(opened)
            await opened.close()
    lines = [(record.levelname, record.event) for record in caplog.records if record.name.startswith("worker.relays")]
    assert lines == [("WARNING", "relay.circuit_open"), ("INFO", "relay.circuit_closed")]


async def test_f42_one_poison_recipient_among_a_thousand() -> None:
    """One recipient who is refused, and one who hangs, keep no other from their mail."""
    async with Sink() as sink, relay(sink, deadlines=Deadlines(rcpt=2.0)) as opened:
        sink.script("rcpt", action="hang", recipient=BOB)
        sink.script("rcpt", "550 5.1.1 nobody", recipient="nobody@example.org")
        mails = [opened.send(SENDER, f"user{n}@example.org", MESSAGE) for n in range(998)]
        poison = [outcome(opened, BOB), outcome(opened, "nobody@example.org")]
        await asyncio.gather(*poison, *mails)
        assert state(opened, sink) == "closed"
    assert len(sink.mails) == 998
