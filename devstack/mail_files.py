"""Files of the mailbox, one a mail, so that mails survive a restart."""

from collections.abc import Iterable
from pathlib import Path

from devstack import mails
from devstack.mails import Mail
from devstack.servers.folders import folder, write_private

_LAST = "last"


class MailFiles:
    """A folder of mails that nobody else can read."""

    def __init__(self, place: Path) -> None:
        self._place = folder(place)

    def load(self) -> tuple[list[Mail], int]:
        """Answer the mails, oldest first, and the highest number that was given; a file that is no mail is skipped."""
        found = []
        for path in sorted(self._place.glob("*.mail")):
            try:
                found.append(mails.load(path.read_bytes()))
            except (ValueError, KeyError, TypeError, OSError):
                continue
        last = self._place / _LAST
        given = int(last.read_text()) if last.exists() and last.read_text().isdecimal() else 0
        return sorted(found, key=lambda mail: mail.n), max([given, *(mail.n for mail in found)])

    def add(self, mail: Mail) -> None:
        """Write the mail whole or not at all, mode 0600. Raises OSError where the disk is full."""
        write_private(self._path(mail), mails.dump(mail))

    def remove(self, gone: Iterable[Mail], *, last: int) -> None:
        """Delete mails; their numbers are not given again."""
        write_private(self._place / _LAST, str(last))
        for mail in gone:
            self._path(mail).unlink(missing_ok=True)

    def _path(self, mail: Mail) -> Path:
        return self._place / f"{mail.n:09}.mail"
