"""Wheel and sdist of a commit, built twice and compared, and the checksums of a folder."""

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from release.source import Refused, git

# The two builds differ in what must not show: time zone, hash seed, umask.
_SURROUNDINGS = (({"TZ": "UTC", "PYTHONHASHSEED": "1"}, 0o022), ({"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "2"}, 0o077))


def commit_time(repository: Path, commit: str) -> str:
    """Return SOURCE_DATE_EPOCH of a commit: its Unix time."""
    return git(repository, "show", "--no-patch", "--format=%ct", commit)


def export(repository: Path, commit: str, folder: Path) -> Path:
    """Write the files of a commit into a folder, with the commit's name where service/version.py reads it."""
    folder.mkdir(parents=True)
    archive = folder.with_suffix(".tar")
    git(repository, "archive", "--format=tar", f"--output={archive}", commit)
    with tarfile.open(archive) as files:
        files.extractall(folder, filter="data")
    archive.unlink()
    (folder / "service" / "commit").write_text(f"{commit}\n")
    return folder


def build_twice(repository: Path, commit: str, into: Path) -> None:
    """Write wheel and sdist of a commit. Raises Refused where a second build differs from the first."""
    with tempfile.TemporaryDirectory() as work:
        for index, (surroundings, umask) in enumerate(_SURROUNDINGS):
            tree = export(repository, commit, Path(work) / str(index) / "tree")
            _build(tree, into if index == 0 else tree / "dist", commit_time(repository, commit), surroundings, umask)
        first, second = (
            {path.name: path.read_bytes() for path in folder.iterdir()} for folder in (into, tree / "dist")
        )
    if differ := sorted(name for name in first | second if first.get(name) != second.get(name)):
        raise Refused(f"two builds differ in {', '.join(differ)}")


def _build(tree: Path, into: Path, epoch: str, surroundings: dict[str, str], umask: int) -> None:
    words = [sys.executable, "-m", "hatchling", "build", "-d", str(into)]
    environment = os.environ | surroundings | {"SOURCE_DATE_EPOCH": epoch}
    done = subprocess.run(words, cwd=tree, env=environment, umask=umask, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"hatchling: {done.stderr.strip()}")


def write_checksums(folder: Path) -> None:
    """Write SHA256SUMS, for `sha256sum --check`."""
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in sorted(folder.iterdir())]
    (folder / "SHA256SUMS").write_text("".join(lines))
