"""Marks on mails: which were read, and their tags."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from devstack.servers.folders import write_private

_UNFIT = re.compile(r"[^\w.@-]+", re.ASCII)


class MailMarks:
    """Marks by the numbers of mails; kept in a file, or in memory only. A file that can't be read counts as none."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._read: set[int] = set()
        self._tags: dict[int, tuple[str, ...]] = {}
        if file:
            self._load(file)

    def is_read(self, number: int) -> bool:
        return number in self._read

    def tags(self, number: int) -> tuple[str, ...]:
        """Return the tags of a mail, sorted."""
        return self._tags.get(number, ())

    def counts(self) -> dict[str, int]:
        """Count the mails of each tag."""
        return dict(sorted(Counter(tag for tags in self._tags.values() for tag in tags).items()))

    def mark_read(self, numbers: Iterable[int]) -> None:
        self._read.update(numbers)
        self._store()

    def mark_unread(self, numbers: Iterable[int]) -> None:
        self._read.difference_update(numbers)
        self._store()

    def tag(self, numbers: Iterable[int], tags: Sequence[str]) -> None:
        """Put these tags in the place of those before. Letters, digits, `-_.@` and spaces are kept of each."""
        cleaned = sorted({clean for tag in tags if (clean := _UNFIT.sub(" ", tag).strip())})
        self._tags.update(dict.fromkeys(numbers, tuple(cleaned)))
        self._store()

    def rename_tag(self, name: str, new: str) -> None:
        for number in self._tagged(name):
            self.tag([number], [new if tag == name else tag for tag in self._tags[number]])

    def delete_tag(self, name: str) -> None:
        """Take a tag off its mails."""
        for number in self._tagged(name):
            self.tag([number], [tag for tag in self._tags[number] if tag != name])

    def forget(self, numbers: Iterable[int]) -> None:
        """Drop the marks of mails that are deleted."""
        for number in numbers:
            self._read.discard(number)
            self._tags.pop(number, None)
        self._store()

    def _tagged(self, name: str) -> list[int]:
        return [number for number, tags in self._tags.items() if name in tags]

    def _load(self, file: Path) -> None:
        try:
            stored = json.loads(file.read_text())
            self._read = {int(number) for number in stored["read"]}
            self._tags = {int(number): tuple(map(str, tags)) for number, tags in stored["tags"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return

    def _store(self) -> None:
        if self._file:
            tags = {str(number): tags for number, tags in self._tags.items() if tags}
            write_private(self._file, json.dumps({"read": sorted(self._read), "tags": tags}))
