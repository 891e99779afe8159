"""The repository's own files, as syntax trees and as text."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@cache
def modules(*folders: str) -> dict[str, ast.Module]:
    """Every Python file under these folders, by its dotted name."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {_dotted(path): ast.parse(path.read_text(), str(path)) for path in paths}


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def tracked() -> list[Path]:
    """List the files that are, or would be, in a commit: known to git, or new and not ignored."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout: nothing says which files are the repository's")
    names = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def texts() -> Iterator[tuple[Path, str]]:
    """List the tracked files that are text, by their path from the root."""
    for path in tracked():
        try:
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
