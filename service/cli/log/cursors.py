"""Cursors of `log follow`: how far each project's log is handed on."""

from dataclasses import dataclass
from pathlib import Path

from service.cli.commands import UsageError


@dataclass(frozen=True, slots=True)
class Cursors:
    """A file for one project, or a folder with a file for each; without a path nothing is kept."""

    path: Path | None
    in_folder: bool

    def check(self) -> None:
        """Refuse a file where a folder is needed, or a folder for a file. Raises UsageError."""
        if self.path and self.path.exists() and self.path.is_dir() != self.in_folder:
            wanted = "a folder, with a file for each project" if self.in_folder else "a file"
            raise UsageError(f"{self.path}: the cursor has to be {wanted}")

    def read(self, project_id: str) -> int:
        """Return the number after which to go on; 0 without a file. Raises UsageError."""
        path = self._file(project_id)
        if path is None or not path.exists():
            return 0
        text = path.read_text(errors="replace").strip()
        if not (text.isascii() and text.isdigit() and len(text) < 19):
            raise UsageError(f"{path} holds no cursor")
        return int(text)

    def write(self, project_id: str, number: int) -> None:
        """Replace the file in one step: a crash leaves the old or the new one."""
        path = self._file(project_id)
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = path.with_name(f"{path.name}.new")
            new.write_text(f"{number}\n")
            new.replace(path)

    def _file(self, project_id: str) -> Path | None:
        return self.path / f"{project_id}.cursor" if self.path and self.in_folder else self.path
