"""Prose that a test reads can't drift: tables against code, commands against parsers, names against settings."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

import service.__main__
import worker.commands
from service.settings import Settings
from service.store import migrations
from testkit.sources import ROOT, texts
from tests.architecture.tables import TABLES, page, written

_PAGES = sorted(
    path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "guides").glob("*.md"))
)
each_page = pytest.mark.parametrize("path", _PAGES, ids=[path.name for path in _PAGES])
_BLOCK = re.compile(r"^```(?:sh|bash|console|shell)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_VARIABLE = re.compile(r"(?<![\w/<$-])\$?([A-Z]+(?:_[A-Z]+)+)\b(?!\.)")
# Variables that are no setting of the service: those of compose.yaml are added to them.
_OTHERS = frozenset(
    [
        "LOCAL_STATE",
        "MYSQL_DATABASE",
        "MYSQL_ROOT_PASSWORD",
        "SO_REUSEPORT",
        "PYTHON_VERSION",
        "SESSION_KEY",
        "FUZZ_REQUESTS",
        "FAULTS_ROUNDS",
        "FAULTS_SAMPLE",
        "FAULTS_SEED",
        "ON_ERROR_STOP",
        "OWNER_PASSWORD",
        "API_PASSWORD",
        "ACCOUNTS_API_KEY",
        "APPWRITE_API_KEY",
        "APPWRITE_OPENSSL_KEY",
        "APPWRITE_KEY",
        "YOUR_PROJECT",
        "SHOP_GOOGLE_CLIENT_SECRET",
        "SHOP_SMTP_PASSWORD",
    ]
)
# The first loads only the command that the words name.
_PARSERS = {"service": service.__main__.parser, "worker": lambda _: worker.commands.parser()}

# What a public file must not tell: whose machine it was written on, and where packages came from.
_MACHINE = re.compile(r"(?<![\w.~-])/(?:root|home/\w+|Users/\w+|work)/[\w.-]+")
_REGISTRY = re.compile(
    r"\b(?:files\.pythonhosted\.org|pypi\.org/simple|registry\.npmjs\.org|registry\.yarnpkg\.com|"
    r"(?:registry-1\.)?docker\.io|ghcr\.io|quay\.io|proxy\.golang\.org|index-url\s+http)"
)
_ADDRESS = re.compile(r"[A-Za-z0-9._%+-]+@([A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)\b")
# RFC 2606 and 6761: names that are nobody's. Single-letter labels are the contract's own test vectors. The two relays
# stand behind a user's name in an SMTP_URL.
_NOBODY = re.compile(
    r"smtp\.(?:office365|gmail)\.com|(?:.*\.)?(?:example|test|invalid|localhost|local)|(?:.*\.)?example\.(?:com|net|org)|(?:[\w-]\.)+[\w-]{1,2}|[\d.]+",
    re.IGNORECASE,
)
# Hostile addresses of the corpora look like somebody's on purpose.
_CORPORA = ("tests/unit/", "tests/integration/", "tests/security/")


@pytest.mark.parametrize("name", TABLES)
def test_a_table_says_what_the_code_says(name: str):
    """Settings, errors and routes are documented from the code itself."""
    text = page(name).read_text()
    assert f"<!-- table: {name} -->" in text
    assert text == written(name, text), "run `python -m tests.architecture.write_docs`"


def commands(text: str) -> Iterator[str]:
    """The lines of a page's shell blocks, continued lines joined, prompts and comments taken off."""
    for block in _BLOCK.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.removeprefix("$ ").strip()
            if words and not words.startswith("#"):
                yield words


@each_page
def test_commands_exist(path: Path):
    """Every `python -m service …`, `python -m worker …` and `./dev …` that a page shows can be typed."""
    for line in commands(path.read_text()):
        for module, rest in re.findall(r"-m (service|worker)(?![.\w])([^|;&>()\n]*)", line):
            try:
                words = shlex.split(rest, comments=True)
                _PARSERS[module](words).parse_args(words)
            except SystemExit as refusal:
                assert not refusal.code, f"{path.name} shows {line!r}"  # noqa: PT017 - --help ends with 0
        for verb in re.findall(r"(?:^|\s)\./dev (\w+)", line):
            assert re.search(rf"\b{verb}\b", (ROOT / "dev").read_text()), f"{path.name} shows ./dev {verb}"


@each_page
def test_variables_exist(path: Path):
    """A variable that a page names is a setting, one of compose.yaml, or one of a short list."""
    compose = (ROOT / "compose.yaml").read_text()
    known = {name.upper() for name in Settings.model_fields} | set(re.findall(r"\b[A-Z_]{3,}\b", compose)) | _OTHERS
    assert not {*_VARIABLE.findall(path.read_text())} - known


def test_prose_is_wrapped():
    """A line of prose has at most 120 characters; tables and code may have more."""
    found = [
        f"{path}:{number}"
        for path, text in texts()
        if path.suffix == ".md"
        for number, line in prose(text)
        if len(line) > 120
    ]
    assert not found, found


def prose(text: str) -> Iterator[tuple[int, str]]:
    """The lines of a page that are neither a table's nor code, with their numbers."""
    code = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("```"):
            code = not code
        elif not code and not line.startswith("|"):
            yield number, line


def test_nothing_private_is_public():
    """No machine's paths, no registry's address and no person's e-mail address stands in a file of ours."""
    found = [f"{path}: {fault}" for path, text in texts() for fault in private(str(path), text)]
    assert not found, "\n".join(found)


def private(path: str, text: str) -> list[str]:
    """Private things that a file gives away."""
    # This one names them. Files of others are kept as they are, with the addresses of their authors.
    if path == "tests/architecture/test_docs.py" or "/vendor/" in path:
        return []
    found = [*_MACHINE.findall(text), *_REGISTRY.findall(text)]
    if not path.startswith(_CORPORA):
        found += [match[0] for match in _ADDRESS.finditer(text) if not _NOBODY.fullmatch(match[1])]
    return found


@pytest.mark.parametrize("lock", sorted(path.name for path in ROOT.glob("requirements*.lock")))
def test_locks_hold_no_address(lock: str):
    """A lock names versions and hashes; where they come from is the installer's own configuration."""
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^\s*(?:-i|--(?:extra-)?index-url|--find-links|--trusted-host)\b", text, re.MULTILINE)
    assert text.count("--hash=sha256:") >= text.count("==") > 0


@pytest.mark.parametrize(
    "text",
    ["see /home/ann/notes.txt", "cd /root/project", "pip from https://files.pythonhosted.org/x", "ask ann@gmail.com"],
)
def test_planted_secrets_are_found(text: str):
    """The checker sees what it is there to see."""
    assert private("README.md", text)


def test_what_is_nobodys_is_left_alone():
    """Examples may use the names that are reserved for them."""
    assert not private("README.md", "no-reply@example.com, ann@shop.test, a@b.c, root@localhost, /home, /var/lib")


def test_the_way_up_names_what_runs():
    """docs/upgrades.md names the newest migration, and each that makes an index of a table that was there before."""
    section = (ROOT / "docs" / "upgrades.md").read_text().partition("\n## From 0.2.0\n")[2]
    found = migrations.load()
    first = int(re.findall(r"Migrations (\d+) to", section)[0])
    before = " ".join(each.sql for each in found if each.version < first)
    tables = set(re.findall(r"create (?:unlogged )?table (\w+)", before))
    indexes = re.compile(r"index concurrently if not exists \w+ on (\w+)")
    long = [each.version for each in found if tables.intersection(indexes.findall(each.sql))]
    assert f"Migrations {first:04} to {found[-1].version:04} run" in section
    assert [version for version in long if f"{version:04}" not in section.partition("| Makes |")[2]] == []
