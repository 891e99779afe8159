"""The commit of a release: the version in pyproject.toml and where examples name it, and the changelog's section."""

import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

# Examples name the version, too: an image's tag, an error's `version`.
EXAMPLES = {
    "README.md": '"version":"{}"',
    "deploy/kubernetes/overlays/production/kustomization.yaml": "newTag: {}",
    "docs/kubernetes.md": "accounts:{}",
}
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)", re.ASCII)
_UNRELEASED = "## [Unreleased]\n"


class Refused(Exception):
    """The release can't be made."""


def git(repository: Path, *words: str) -> str:
    """Run git; return what it prints. Raises Refused with git's own words."""
    done = subprocess.run(["git", "-C", repository, *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"git {words[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


@contextmanager
def prepared_commit(repository: Path, version: str, day: date) -> Iterator[str]:
    """Make the release's commit on top of HEAD, in a worktree of its own; no branch or tag moves.

    Raises Refused where the tree has changes, the tag exists, the version is not newer or nothing is unreleased.
    """
    if changed := git(repository, "status", "--porcelain"):
        raise Refused(f"the tree has changes that are not committed:\n{changed}")
    if git(repository, "tag", "--list", f"v{version}"):
        raise Refused(f"the tag v{version} exists")
    with tempfile.TemporaryDirectory() as work:
        tree = Path(work) / "tree"
        git(repository, "worktree", "add", "--quiet", "--detach", str(tree), "HEAD")
        try:
            _set_version(tree, version)
            changelog = tree / "CHANGELOG.md"
            changelog.write_text(dated(changelog.read_text(), version, day))
            git(tree, "commit", "--quiet", "--all", "--message", f"Release {version}")
            yield git(tree, "rev-parse", "HEAD")
        finally:
            git(repository, "worktree", "remove", "--force", str(tree))


def _set_version(tree: Path, version: str) -> None:
    project = tree / "pyproject.toml"
    old = tomllib.loads(project.read_text())["project"]["version"]
    if not _VERSION.fullmatch(version):
        raise Refused(f"{version} is not a version such as 1.2.3")
    if _numbers(version) <= _numbers(old):
        raise Refused(f"{version} is not newer than {old}")
    for name, form in {"pyproject.toml": '\nversion = "{}"\n', **EXAMPLES}.items():
        path = tree / name
        path.write_text(path.read_text().replace(form.format(old), form.format(version)))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def dated(changelog: str, version: str, day: date) -> str:
    """Return the changelog with what is unreleased as the section of this version. Raises Refused if that is empty."""
    before, found, after = changelog.partition(_UNRELEASED)
    section = after.partition("\n## [")[0]
    if not found or not re.search(r"^- ", section, re.MULTILINE):
        raise Refused("CHANGELOG.md lists nothing under [Unreleased]")
    return f"{before}{_UNRELEASED}\n## [{version}] - {day}\n{after}"
