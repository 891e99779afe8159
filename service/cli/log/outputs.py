"""Outputs of `log follow`: lines on standard output, or messages of syslog over a connection that is made anew."""

import asyncio
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from service.cli.log import syslog_messages
from service.cli.log.formats import FORMATS
from service.cli.log.syslog_connection import Connection, Lost, Receiver
from service.outages import ServerUnavailable
from service.store.log_chain import ChainedRow

# Seconds before the second attempt to connect, and at most between two.
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 30.0


class Item(NamedTuple):
    """A row and its number in the feed."""

    number: int
    row: ChainedRow


@dataclass(slots=True)
class Printed:
    form: str
    # A pipe loses none.
    resend: int = 0

    async def connect(self) -> bool:
        """Return whether events may be lost since the last call: never."""
        return False

    async def send(self, project_id: str, items: Sequence[Item]) -> None:
        for item in items:
            line = FORMATS[self.form](project_id, item.row)
            sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()

    def close(self) -> None:
        pass


@dataclass(slots=True)
class Sent:
    """Messages to a receiver; `resend` is how many of each project go once more over each new connection.

    With `once`, a receiver that is away is an error.
    """

    form: str
    to: Receiver
    resend: int
    once: bool
    _connection: Connection | None = None

    async def connect(self) -> bool:
        """Connect, as long as that takes; return whether it is a new connection. Raises ServerUnavailable."""
        if self._connection:
            try:
                self._connection.check()
            except Lost as lost:
                self._lose(lost)
            else:
                return False
        wait = _FIRST_WAIT
        while True:
            try:
                self._connection = await Connection.open(self.to)
            except Lost as lost:
                if self.once:
                    raise ServerUnavailable(f"the syslog receiver {self.to.name}: {lost}") from None
                _tell(f"the syslog receiver {self.to.name} can't be used: {lost}; the next attempt is in {wait:.0f} s")
            else:
                _tell(f"connected to the syslog receiver {self.to.name}")
                return True
            # Followers that lost one receiver don't come back to it at one time.
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311 - no secret
            wait = min(2 * wait, _LONGEST_WAIT)

    async def send(self, project_id: str, items: Sequence[Item]) -> None:
        """Send a message for each. Raises Lost, after which some of them may have come."""
        if self._connection is None:
            raise Lost("it is not connected")
        write = FORMATS[self.form]
        try:
            await self._connection.send(
                [
                    syslog_messages.message(project_id, number, row, self.form, write(project_id, row))
                    for number, row in items
                ]
            )
        except Lost as lost:
            self._lose(lost)
            raise

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None

    def _lose(self, lost: Lost) -> None:
        _tell(f"lost the syslog receiver {self.to.name}: {lost}")
        self.close()


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
