"""State of an import that can break off: a small file with the cursor of the last page that is in."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

from service.cli.commands import UsageError


@dataclass(slots=True)
class ImportState:
    """Place that an import has reached; without a file it begins anew each time, which doubles nothing."""

    path: Path | None
    project: str
    source: str
    cursor: str = ""

    @classmethod
    def read(cls, path: str | None, project: str, source: str) -> Self:
        """Read a file, which needn't be there yet. Raises UsageError for the state of another import."""
        state = cls(Path(path) if path else None, project, source)
        if state.path is None:
            return state
        try:
            found = orjson.loads(state.path.read_bytes())
            if (found["project"], found["source"]) != (project, source):
                raise UsageError(f"{path} is the state of another import")
            state.cursor = str(found["cursor"])
        except FileNotFoundError:
            pass
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path} is no state of an import") from None
        return state

    def write(self, cursor: str) -> None:
        """Replace the file by one with this cursor, as a whole. Raises UsageError."""
        self.cursor = cursor
        if self.path is None:
            return
        text = orjson.dumps({"project": self.project, "source": self.source, "cursor": cursor})
        beside = self.path.with_name(f"{self.path.name}.new")
        try:
            beside.write_bytes(text)
            beside.replace(self.path)
        except OSError as error:
            raise UsageError(f"{self.path}: {error.strerror}") from None

    def remove(self) -> None:
        """Remove the file: the import is done."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def advice(self) -> str:
        if self.path is not None and self.cursor:
            return f"the same command goes on where {self.path} stands"
        return "the same command begins anew and leaves alone what is here"
