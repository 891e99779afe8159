"""A server that says too much is given less, and what one recipient or one connection met is not held against it."""

import asyncio
import logging
from typing import Any

import pytest

from testkit.patience import PATIENCE
from testkit.sink import Sink
from testkit.sink import Stage as SinkStage
from tests.integration.worker.relays import ANN, BOB, MESSAGE, SENDER, SHORT, outcome, relay
from worker.relays import Deadlines, RelayPool
from worker.relays.circuit_breaker import TRIES
from worker.relays.health import QUIET, RECIPIENTS, SenderRefusals
from worker.relays.rate_limiter import FASTER, FLOOR, LAPSE, STEP, UNKNOWN, AdaptiveRate
from worker.relays.server import RelayServer

LONG = 1000.0  # a rest that no test lives to see the end of


def host(opened: RelayPool, number: int = 0) -> RelayServer:
    return opened._servers[number]


def state(opened: RelayPool) -> list[str]:
    return list(opened.states().values())


def rates(opened: RelayPool) -> list[float | None]:
    return list(opened.rates().values())


def calls(caplog: pytest.LogCaptureFixture) -> list[tuple[str, int]]:
    """Stage and code of each call for an operator."""
    return [
        (record.stage, record.code)  # type: ignore[attr-defined] # extra of the line
        for record in caplog.records
        if record.event == "relay.refused"
    ]


# --- the pace by itself ------------------------------------------------------------------------------------


def test_without_a_refusal_there_is_no_limit() -> None:
    """Without a refusal there is no limit, however many mails go and however fast."""
    throttle = AdaptiveRate()
    assert [throttle.admit(0.0) for _ in range(1000)] == [True] * 1000
    assert (throttle.rate, throttle.next_send_at(0.0)) == (None, 0.0)


def test_a_refusal_halves_the_pace_down_to_a_floor() -> None:
    """From what was taken in the last minute to half of it, and so on, but never below one mail a minute."""
    throttle = AdaptiveRate()
    for number in range(240):
        throttle.record_accepted(number / 4)
    assert throttle.reduce(60.0, 60.0)
    assert throttle.rate == 120.0
    assert throttle.next_send_at(60.0) == 60.5
    for number in range(10):
        throttle.reduce(61.0 + number, 61.0 + number)
    assert throttle.rate == FLOOR == 1.0


@pytest.mark.parametrize("taken", [0, 1])
def test_where_little_was_taken_a_pace_is_assumed(taken: int) -> None:
    """The very first mail may be refused for the pace, because others share the limit: that tells nothing of ours."""
    throttle = AdaptiveRate()
    for _ in range(taken):
        throttle.record_accepted(0.0)
    throttle.reduce(30.0, 30.0)
    assert throttle.rate == UNKNOWN / 2 == 30.0


def test_those_on_their_way_count_once() -> None:
    """Ten mails that were under way when the server had enough are one sign, not ten."""
    throttle = AdaptiveRate()
    assert [throttle.reduce(5.0, 10.0 + number) for number in range(10)] == [True] + [False] * 9
    assert throttle.rate == 30.0


def test_the_pace_recovers_by_steps_and_is_lifted() -> None:
    """Half as much again after each step in which a mail was taken and none refused; in the end without limit."""
    throttle = AdaptiveRate()
    throttle.reduce(0.0, 0.0)
    assert not throttle.record_accepted(STEP - 1)
    assert throttle.rate == 30.0
    assert not throttle.record_accepted(STEP)
    assert throttle.rate == 30.0 * FASTER == 45.0
    assert throttle.record_accepted(2 * STEP)
    assert (throttle.rate, throttle.next_send_at(2 * STEP)) == (None, 0.0)


def test_a_pace_that_nobody_needs_lapses() -> None:
    """After a while without a refusal nothing is left of it: a quiet night slows no morning."""
    throttle = AdaptiveRate()
    throttle.reduce(0.0, 0.0)
    assert throttle.next_send_at(LAPSE) == 2.0
    assert throttle.next_send_at(LAPSE + 1) == 0.0
    assert throttle.rate is None


def test_a_turn_is_used_once() -> None:
    """A turn that was given out lets one mail in; one that was given back is the next one's."""
    throttle = AdaptiveRate()
    throttle.reduce(0.0, 0.0)
    throttle.reserve(0.0)
    assert [throttle.admit(0.0), throttle.admit(0.0)] == [True, False]
    throttle.reserve(0.0)
    throttle.cancel()
    assert throttle.admit(0.0) is False
    assert throttle.next_send_at(0.0) == 4.0
    assert [throttle.admit(4.0), throttle.admit(4.0)] == [True, False]


# --- the pace of a real server -----------------------------------------------------------------------------

PACED: list[tuple[SinkStage, str]] = [
    ("ehlo", "421 4.7.28 unusual rate of connections"),
    ("mail", "421 4.7.0 too fast"),
    ("mail", "550 5.4.5 Daily sending quota exceeded"),
    ("rcpt", "550 5.7.1 <x>: Recipient address rejected: Sender Hourly Quota Exceeded"),
    ("rcpt", "450 4.7.1 Error: too many recipients from 192.0.2.1"),
    ("data", "451 4.7.1 rate limit exceeded"),
    ("dot", "454 Throttling failure: Maximum sending rate exceeded"),
    ("dot", "550 5.7.1 Daily SMTP relay limit exceeded for customer"),
]


@pytest.mark.parametrize(("stage", "reply"), PACED)
async def test_rate_words_slow_and_open_nothing(stage: SinkStage, reply: str) -> None:
    """Whatever the code and the stage: its breaker stays closed, the mail waits, and the server gets fewer."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script(stage, reply)
        for number in range(2 * TRIES):
            fault = await outcome(opened, f"user{number}@example.org")
            assert fault.cause == "pace"
        assert (state(opened), rates(opened)) == (["closed"], [30.0])
        # One was tried; the others were left for later, and said so.
        assert sink.connections == 1
        assert "it asked for fewer mails" in fault.text


async def test_admission_waits_for_the_pace() -> None:
    """A mail waits for its turn before it is claimed: whoever is let in is tried."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script("dot", "454 Throttling failure: Maximum sending rate exceeded", times=1)
        await outcome(opened)
        waiting = asyncio.create_task(opened.acquire_rate())
        await asyncio.sleep(0)
        assert not waiting.done()
        async with asyncio.timeout(PATIENCE):
            turn = await waiting
        assert turn.server is host(opened)
        await opened.send(SENDER, ANN, MESSAGE)
    assert len(sink.mails) == 1


async def test_a_spare_carries_what_the_first_has_enough_of() -> None:
    """The mail that was refused for the pace goes to the next server in the same try, later ones at once."""
    async with Sink() as first, Sink() as second, relay(first, second, rest=LONG) as opened:
        first.script("dot", "454 Throttling failure: Daily message quota exceeded")
        for number in range(5):
            await opened.acquire_rate()
            accepted = await opened.send(SENDER, f"user{number}@example.org", MESSAGE)
            assert accepted.server.endswith(f":{second.port}")
        assert (state(opened), rates(opened)) == (["closed", "closed"], [30.0, None])
    assert (first.connections, len(second.mails)) == (1, 5)


async def test_a_never_for_the_rate_calls_an_operator_once(caplog: pytest.LogCaptureFixture) -> None:
    """A 5xx for the quota may last for a day: it is told at once, and not with every mail."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script("dot", "550 5.4.5 Daily sending quota exceeded", times=2)
        for _ in range(2):
            await opened.acquire_rate()
            await outcome(opened)
    assert calls(caplog) == [("dot", 550)]


async def test_at_the_floor_an_operator_is_called(caplog: pytest.LogCaptureFixture) -> None:
    """A rate under one mail a minute calls an operator; one slow-down is a warning."""
    caplog.set_level(logging.INFO)
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script("dot", "454 Throttling failure: Daily message quota exceeded")
        await outcome(opened)
        assert calls(caplog) == []
        assert "relay.rate_lowered" in [record.event for record in caplog.records]
        host(opened).throttle.rate = FLOOR
        host(opened).throttle.reserve(asyncio.get_running_loop().time())
        await outcome(opened)
    assert calls(caplog) == [("dot", 454)]


async def test_a_probe_that_is_told_to_slow_down_leaves_it_open() -> None:
    """A server that is left alone is back when it greets, and not when it refuses for the rate."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script("mail", "451 4.3.0 ill")
        for _ in range(TRIES):
            await outcome(opened)
        sink.script("banner", "421 4.7.28 unusual rate", times=1)
        await host(opened).probe()
        assert state(opened) == ["open"]
        await host(opened).probe()
        assert state(opened) == ["closed"]


# --- what is not held against a server ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "reply", "action"),
    [
        ("mail", "421 too many messages in this connection", "reply"),
        ("mail", "452 4.5.3 too many messages in this session", "reply"),
        ("mail", "451 4.4.2 idle for too long", "reply"),
        ("mail", "", "cut"),
        ("mail", "", "hang"),
        ("rcpt", "421 4.4.2 timeout exceeded", "reply"),
        ("rcpt", "", "cut"),
    ],
)
async def test_a_reused_connection_is_replaced(stage: SinkStage, reply: str, action: Any) -> None:
    """A fault of an idle connection is retried over a fresh one, and nothing is held against the server."""
    async with Sink() as sink, relay(sink, connections=1, deadlines=SHORT, rest=LONG) as opened:
        for number in range(2 * TRIES):
            await opened.send(SENDER, f"first{number}@example.org", MESSAGE)
            sink.script(stage, reply, action=action, times=1)
            await opened.send(SENDER, f"second{number}@example.org", MESSAGE)
        assert (state(opened), host(opened).breaker.failures) == (["closed"], 0)
    assert len(sink.mails) == 4 * TRIES


@pytest.mark.parametrize(("stage", "action"), [("data", "cut"), ("dot", "cut"), ("dot", "hang")])
async def test_after_data_a_reused_connection_is_not_replaced(stage: SinkStage, action: Any) -> None:
    """The mail may have been taken, so it waits; but a cut connection that had rested is no failure of the server."""
    async with Sink() as sink, relay(sink, connections=1, deadlines=SHORT, rest=LONG) as opened:
        for number in range(2 * TRIES):
            await opened.send(SENDER, f"first{number}@example.org", MESSAGE)
            # Nothing that the server did well comes in between.
            host(opened).breaker.failures = number
            sink.script(stage, action=action, times=1)
            await outcome(opened, f"second{number}@example.org")
            assert (state(opened), host(opened).breaker.failures) == (["closed"], number)


@pytest.mark.parametrize(
    ("stage", "reply", "action"),
    [("rcpt", "451 4.3.0 lookup failed", "reply"), ("rcpt", "", "hang"), ("dot", "452 4.3.1 disk full", "reply")],
)
async def test_one_recipient_opens_nothing(stage: SinkStage, reply: str, action: Any) -> None:
    """A failure of the server that only one recipient meets, again and again, costs the others nothing."""
    async with Sink() as sink, relay(sink, deadlines=SHORT, rest=LONG) as opened:
        sink.script(stage, reply, action=action)
        for _ in range(3 * TRIES):
            await outcome(opened, BOB)
        assert state(opened) == ["closed"]
        for number in range(TRIES - 1):
            await outcome(opened, f"user{number}@example.org")
        assert state(opened) == ["open"]


async def test_greylisting_of_many_opens_nothing() -> None:
    """A server's reply to each recipient by itself is never held against it, however many they are."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script("rcpt", "450 4.7.1 Greylisted, see https://example.org")
        for number in range(3 * TRIES):
            assert (await outcome(opened, f"user{number}@example.org")).cause == "recipient"
        assert (state(opened), rates(opened)) == (["closed"], [None])


# --- refusals that name nobody -----------------------------------------------------------------------------


async def test_three_recipients_make_it_ours(caplog: pytest.LogCaptureFixture) -> None:
    """An unknown 5xx after the final dot calls an operator when three different recipients got it, and once."""
    async with Sink() as sink, relay(sink, rest=LONG) as opened:
        sink.script("dot", "554 5.6.0 not accepted")
        for _ in range(5):
            assert (await outcome(opened, ANN)).suspected
        await outcome(opened, BOB)
        assert calls(caplog) == []
        for number in range(5):
            await outcome(opened, f"user{number}@example.org")
        assert (calls(caplog), state(opened)) == ([("dot", 554)], ["closed"])


def test_suspects_are_gathered_by_kind_and_told_once_a_day() -> None:
    """Each kind has its own three; after a call a kind is left alone for a day."""
    suspects = SenderRefusals()
    met = [suspects.record(("dot", code), b"%d" % number, 0.0) for number in range(RECIPIENTS) for code in (550, 554)]
    assert met == [False, False, False, False, True, True]
    assert not any(suspects.record(("dot", 550), b"%d" % number, QUIET - 1) for number in range(10))
    assert [suspects.record(("dot", 550), b"%d" % number, QUIET) for number in range(3)] == [False, False, True]


# --- another server after a clear no -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "reply"),
    [
        ("data", "554 5.5.1 no valid recipients"),
        ("dot", "554 Message rejected: Email address is not verified."),
        ("dot", "554 5.6.0 not accepted"),
        ("dot", "454 Throttling failure: Maximum sending rate exceeded"),
    ],
)
async def test_a_clear_no_after_data_goes_to_the_spare(stage: SinkStage, reply: str) -> None:
    """A server that said no has not got the mail: another may have it in the same try, and the fence is asked anew."""
    asked = []

    async def yes() -> bool:
        asked.append(True)
        return True

    async with Sink() as first, Sink() as second, relay(first, second, rest=LONG) as opened:
        first.script(stage, reply)
        accepted = await opened.send(SENDER, ANN, MESSAGE, before_data=yes)
        assert accepted.server.endswith(f":{second.port}")
    assert (len(first.mails), len(second.mails), len(asked)) == (0, 1, 2)


@pytest.mark.parametrize(
    ("stage", "reply", "action"),
    [
        ("dot", "", "cut"),
        ("dot", "", "hang"),
        ("dot", "999 what", "reply"),
        ("dot", "354 more", "reply"),
        ("dot", "451 4.3.0 ill", "reply"),
        ("dot", "550 5.1.1 nobody", "reply"),
        ("dot", "552 5.2.2 mailbox full", "reply"),
        ("content", "", "cut"),
    ],
)
async def test_no_other_is_asked_where_a_second_mail_could_come_of_it(
    stage: SinkStage, reply: str, action: Any
) -> None:
    """Without a clear no, and where the no is the recipient's, the content is offered to nobody else."""
    deadlines = Deadlines(block=0.5, dot=0.5, noop=0.5)
    async with Sink() as first, Sink() as second, relay(first, second, deadlines=deadlines, rest=LONG) as opened:
        first.script(stage, reply, action=action)
        assert (await outcome(opened)).server.endswith(f":{first.port}")
    assert second.connections == 0
