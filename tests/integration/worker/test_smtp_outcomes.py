"""F32 to F34 and F42: which reply means what, and whose fault it is."""

import pytest

from service.store.outbox_outcomes import Cause
from testkit.sink import Sink
from testkit.sink import Stage as SinkStage
from tests.integration.worker.relays import ANN, BOB, MESSAGE, SENDER, outcome, relay
from worker.relays import DeliveryFailure, PermanentFailure, TemporaryFailure

# F32: what passes by itself, whoever has to wait for it.
PASSING: list[tuple[SinkStage, str, Cause]] = [
    ("banner", "421 4.3.2 busy", "server"),
    ("banner", "450 4.7.1 not now", "server"),
    ("banner", "554 5.3.2 going down", "server"),
    ("ehlo", "421 4.3.2 going down", "server"),
    ("mail", "421 4.7.0 too fast", "pace"),
    ("mail", "451 4.3.0 later", "server"),
    ("mail", "452 4.3.1 disk full", "server"),
    ("mail", "450 try again later", "server"),
    ("rcpt", "421 4.7.0 too fast", "pace"),
    ("rcpt", "450 4.2.0 greylisted", "recipient"),
    ("rcpt", "450 4.2.1 mailbox busy", "recipient"),
    ("rcpt", "451 4.7.1 greylisted, come back in 300 seconds", "recipient"),
    ("rcpt", "450 4.4.1 their server does not answer", "recipient"),
    ("rcpt", "451 4.3.0 lookup failed", "server"),
    ("rcpt", "452 4.5.3 too many", "server"),
    ("rcpt", "452 insufficient system storage", "server"),
    ("rcpt", "452 4.2.2 mailbox full", "recipient"),
    ("rcpt", "450 4.1.8 sender's domain not found", "ours"),
    ("rcpt", "450 4.7.25 no reverse name for your address", "ours"),
    ("rcpt", f"454 4.7.1 <{ANN}>: Relay access denied", "ours"),
    ("data", "451 4.3.0 later", "server"),
    ("dot", "451 4.7.1 greylisted", "recipient"),
    ("dot", "452 4.3.1 disk full", "server"),
    ("dot", "421 4.3.2 going down", "server"),
]
# F33: a clear no to this recipient.
FINAL: list[tuple[SinkStage, str]] = [
    ("rcpt", "550 5.1.1 no such user"),
    ("rcpt", "550 no such user"),
    ("rcpt", "550 5.1.1 no such user, mind the typing and try again later"),
    ("rcpt", "550 5.1.10 the domain takes no mail"),
    ("rcpt", "556 5.1.10 the domain takes no mail"),
    ("rcpt", "550 5.2.1 mailbox disabled"),
    ("rcpt", "550 5.4.1 recipient address rejected: access denied"),
    ("rcpt", "550 5.4.4 unable to route"),
    ("rcpt", "550 5.5.0 mailbox unavailable"),
    ("rcpt", "551 5.1.6 user not local"),
    ("rcpt", "501 5.1.3 bad address"),
    ("rcpt", "553 5.1.2 no such domain"),
    ("rcpt", "550 5.7.1 no such user"),
    ("rcpt", "550 5.7.17 the mailbox has another owner now"),
    ("dot", "550-5.1.1 no\n550 5.1.1 such user"),
]
# The same codes without a word of the recipient: the mail waits, and the fault is ours once three met it.
SUSPECTED: list[tuple[SinkStage, str]] = [
    ("rcpt", "550 5.7.1 policy"),
    ("rcpt", "554 5.7.1 policy"),
    ("rcpt", "571 what"),
    ("data", "554 5.5.1 no valid recipients"),
    ("dot", "554 5.7.1 looks like spam"),
    ("dot", "550 5.6.0 bad content"),
    ("dot", "550 no such user"),
    ("dot", "554 transaction failed"),
]
# F34: a 5xx that speaks of us, of the server, or of a full mailbox.
NOT_FINAL: list[tuple[SinkStage, str, Cause]] = [
    ("banner", "554 5.7.1 go away", "ours"),
    ("banner", "521 we take no mail", "ours"),
    ("ehlo", "502 5.5.1 no", "ours"),
    ("ehlo", "550 5.7.1 who are you", "ours"),
    ("mail", "550 5.7.1 sender not allowed", "ours"),
    ("mail", "530 5.7.0 Must issue a STARTTLS command first", "ours"),
    ("mail", "552 5.2.2 mailbox full", "ours"),
    ("mail", "555 5.5.4 parameters", "ours"),
    ("rcpt", "530 5.7.0 authentication required", "ours"),
    ("rcpt", "503 5.5.1 sequence", "ours"),
    ("rcpt", "501 5.5.4 syntax", "ours"),
    ("rcpt", f"554 5.7.1 <{ANN}>: Relay access denied", "ours"),
    ("rcpt", "550 5.7.54 SMTP; Unable to relay recipient", "ours"),
    ("rcpt", "550 5.7.606 access denied, banned sending address", "ours"),
    ("rcpt", "553 5.7.1 <x>: Sender address rejected: not owned by user", "ours"),
    ("rcpt", "554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using dnsbl.test", "ours"),
    ("rcpt", "550 5.1.8 sender domain not found", "ours"),
    ("rcpt", "525 5.7.13 account disabled", "ours"),
    ("rcpt", "550 5.3.2 system not accepting mail", "server"),
    ("rcpt", "550 5.4.5 daily sending quota exceeded", "pace"),
    ("rcpt", "550 5.7.28 mail flood", "pace"),
    ("rcpt", "550 5.7.0 too many messages, try again later", "pace"),
    ("rcpt", "552 5.2.2 over quota", "recipient"),
    ("rcpt", "550 5.2.2 mailbox full", "recipient"),
    ("rcpt", "552 storage", "recipient"),
    ("rcpt", "550 Mailbox is full", "recipient"),
    ("dot", "552 5.3.4 too big", "ours"),
    ("dot", "550 5.7.26 unauthenticated sender", "ours"),
    ("dot", "554 5.3.1 disk full", "server"),
]


async def answered(stage: SinkStage, reply: str) -> DeliveryFailure:
    """The result of one such reply; nothing was taken, and the next mail goes out as ever."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script(stage, reply, times=1)
        fault = await outcome(opened)
        assert sink.mails == []
        await opened.acquire_rate()
        await opened.send(SENDER, BOB, MESSAGE)
    assert [mail.recipients for mail in sink.mails] == [(BOB,)]
    assert sink.violations == []
    assert (fault.stage, fault.server) == (stage, f"127.0.0.1:{sink.port}")
    return fault


@pytest.mark.parametrize(("stage", "reply", "cause"), PASSING)
async def test_f32_what_passes(stage: SinkStage, reply: str, cause: Cause) -> None:
    """A 4xx waits wherever it is met; only those after RCPT can be the recipient's matter."""
    fault = await answered(stage, reply)
    assert (type(fault), fault.code, fault.cause) == (TemporaryFailure, int(reply[:3]), cause)


@pytest.mark.parametrize(("stage", "reply"), FINAL)
async def test_f33_what_is_final(stage: SinkStage, reply: str) -> None:
    """Only a clear no to this recipient ends a mail."""
    fault = await answered(stage, reply)
    assert (type(fault), fault.code, fault.cause) == (PermanentFailure, int(reply[:3]), "recipient")


@pytest.mark.parametrize(("stage", "reply"), SUSPECTED)
async def test_f34_what_may_be_ours(stage: SinkStage, reply: str) -> None:
    """A 5xx that names nobody's fault is final for nobody."""
    fault = await answered(stage, reply)
    assert (type(fault), fault.code, fault.cause, fault.suspected) == (TemporaryFailure, int(reply[:3]), "ours", True)


@pytest.mark.parametrize(("stage", "reply", "cause"), NOT_FINAL)
async def test_f34_what_is_ours(stage: SinkStage, reply: str, cause: Cause) -> None:
    """A 5xx that speaks of us, of the server or of a full mailbox costs nobody their mail."""
    fault = await answered(stage, reply)
    assert (type(fault), fault.code, fault.cause) == (TemporaryFailure, int(reply[:3]), cause)


@pytest.mark.parametrize(
    ("stage", "reply"), [("rcpt", "999 what"), ("rcpt", "25"), ("mail", "\xff\xfe no code"), ("dot", "-50 odd")]
)
async def test_f39_nonsense_waits(stage: SinkStage, reply: str) -> None:
    """A reply that no server may give is no reply, and the server's fault."""
    fault = await answered(stage, reply)
    assert (type(fault), fault.code, fault.cause) == (TemporaryFailure, 0, "server")


@pytest.mark.parametrize(("stage", "reply"), [("mail", "354 go"), ("data", "250 ok"), ("dot", "354 more")])
async def test_f39_a_yes_to_another_question(stage: SinkStage, reply: str) -> None:
    """A server that is out of step is tried later, over a new connection."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script(stage, reply, times=1)
        fault = await outcome(opened)
        assert (type(fault), fault.code, fault.cause) == (TemporaryFailure, int(reply[:3]), "server")
        await opened.send(SENDER, BOB, MESSAGE)
    assert sink.connections == 2


async def test_a_yes_says_whose() -> None:
    """The server that took a mail is reported: name, code and reply as one harmless line."""
    async with Sink() as sink, relay(sink) as opened:
        sink.script("dot", "250-2.0.0 Ok:\x07\n250 queued as 4XyZ, see https://relay.test/4XyZ")
        accepted = await opened.send(SENDER, ANN, MESSAGE)
    assert (accepted.server, accepted.code) == (f"127.0.0.1:{sink.port}", 250)
    assert accepted.text == "2.0.0 Ok: queued as 4XyZ, see [cut]"


async def test_f42_a_refused_recipient_keeps_the_connection() -> None:
    """One poison recipient among many: the others go out over the same connection, cleared by RSET."""
    async with Sink() as sink, relay(sink, connections=1) as opened:
        sink.script("rcpt", "550 5.1.1 no such user", recipient=BOB)
        for recipient in (ANN, BOB, ANN, BOB, ANN):
            if recipient == BOB:
                assert isinstance(await outcome(opened, BOB), PermanentFailure)
            else:
                await opened.send(SENDER, recipient, MESSAGE)
    assert (len(sink.mails), sink.connections) == (3, 1)
    assert sink.commands.count("RSET") == 2


async def test_answers_hold_no_secrets() -> None:
    """A server's quotes of a mail are cut from the answer: links, secrets, control characters, length."""
    secret = "0f" * 128
    async with Sink() as sink, relay(sink) as opened:
        sink.script(
            "dot",
            f"554 5.7.1 bad\x1b[31m\x07 link https://a.test/?secret={secret} and {secret} {'so ' * 100}",
        )
        fault = await outcome(opened)
    assert "5.7.1 bad" in fault.text
    assert secret[:8] not in str(fault)
    assert "a.test" not in repr(fault)
