"""Amount of work of `python -m bench`, in full and with --quick."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Amount of work: seconds a side and round, writes a turn, mails one by one and in a step of the ramp, sign-ups.

    `mails` are those of a turn: so few that the sweep, which looks for what is a second late, leaves them to the queue.
    `crew_rounds` are those of one, two and four workers, with `crew_mails` a turn. `events` are filed at a time.
    `reads_beside_hashes` are those of a turn.
    """

    rounds: int = 7
    seconds: float = 3.0
    sessions: int = 200
    writes: int = 300
    mails: int = 500
    slots: int = 2
    waits: int = 250
    ramp: int = 600
    crew_rounds: int = 3
    crew_mails: int = 4_000
    events: int = 2_000
    sign_ups: int = 8
    reads_beside_hashes: int = 600

    @property
    def members(self) -> int:
        return max(self.sessions, self.mails, self.waits, self.ramp, self.crew_mails)


QUICK = Size(
    rounds=1, seconds=0.3, sessions=10, writes=30, mails=20, slots=1, waits=5, ramp=20, crew_rounds=1, crew_mails=20,
    events=50, sign_ups=2, reads_beside_hashes=20,
)  # fmt: skip
