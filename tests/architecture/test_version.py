"""The version stands in pyproject.toml alone; the changelog has an entry for it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

import service.__main__
import worker.__main__
from service.version import VERSION, read_commit
from testkit.sources import ROOT


def test_the_changelog_has_this_version():
    """The newest release of CHANGELOG.md is the version of pyproject.toml, with its date."""
    releases = re.findall(
        r"^## \[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert releases[0][0] == VERSION
    assert releases == sorted(releases, key=lambda release: release[1], reverse=True)


@pytest.mark.parametrize("main", [service.__main__.main, worker.__main__.main], ids=["service", "worker"])
def test_the_commands_print_the_version(main: Callable[[list[str]], int], capsys: pytest.CaptureFixture[str]):
    """`python -m service --version` and `python -m worker --version` need no settings and no other word."""
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"{VERSION}\n")


@pytest.mark.parametrize(
    ("text", "commit"), [(None, "unknown"), ("unknown\n", "unknown"), ("0f" * 20 + "\n", "0f" * 20), ('é"}', "unknown")]
)
def test_the_commit_is_the_images(tmp_path: Path, text: str | None, commit: str):
    """The image's file names its commit; what is no hash is not shown."""
    if text is not None:
        (tmp_path / "commit").write_text(text)
    assert read_commit(tmp_path) == commit
