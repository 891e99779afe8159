"""Seconds that a relay has for each step of an SMTP session."""

import re
from dataclasses import asdict, dataclass, fields

LONGEST_STEP = 1800
_SECONDS = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds that a relay has for each step of an SMTP session, however slowly it drips (RFC 5321 4.5.3.2).

    Those that the RFC names have its values. It has none for `connect`, which stays short so that a dead host costs
    little, for `tls` (STARTTLS and the handshake), for `auth`, nor for `noop`, which is RSET's too: its timeout costs
    a connection and no mail. `block` is until all of a mail's content is out, `dot` from then to the server's reply.
    `failover` bounds `banner` and `ehlo` where another relay stands behind: the last one has all of the time.
    """

    connect: float = 10
    tls: float = 60
    banner: float = 300
    ehlo: float = 300
    auth: float = 300
    mail: float = 300
    rcpt: float = 300
    data: float = 120
    block: float = 180
    dot: float = 600
    noop: float = 5
    failover: float = 30

    def __str__(self) -> str:
        return ",".join(f"{step}={seconds:g}" for step, seconds in asdict(self).items())


def parse(text: str) -> Deadlines:
    """Parse `step=seconds,step=seconds`; a step that is not named has its usual seconds. Raises ValueError."""
    known, given = [field.name for field in fields(Deadlines)], dict[str, float]()
    for part in filter(None, (part.strip() for part in text.split(","))):
        step, _, seconds = (word.strip() for word in part.partition("="))
        if step not in known:
            raise ValueError(f"the steps are {', '.join(known)}")
        if step in given:
            raise ValueError(f"{step} stands twice")
        if not _SECONDS.fullmatch(seconds) or not 0 < float(seconds) <= LONGEST_STEP:
            raise ValueError(f"{step} is a number of seconds above 0 and up to {LONGEST_STEP}")
        given[step] = float(seconds)
    return Deadlines(**given)
