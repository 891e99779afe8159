"""A migration that has landed is history: databases remember its checksum and refuse a changed one."""

from pathlib import Path

from service.store import migrations
from service.store.migrations import Migration

RECORD = Path(__file__).with_name("migrations.sha256")


def recorded() -> dict[str, str]:
    """Checksum by file name, as sha256sum writes them."""
    pairs = (line.split() for line in RECORD.read_text().splitlines())
    return {name: checksum for checksum, name in pairs}


def name_of(migration: Migration) -> str:
    return f"{migration.version:04}_{migration.name}.sql"


def faults(found: list[Migration], landed: dict[str, str]) -> list[str]:
    """Faults of the migrations that are there, given those that have landed."""
    there = {name_of(migration): migration.checksum for migration in found}
    gone = [f"{name} has landed and is gone. Put it back." for name in sorted(landed.keys() - there.keys())]
    changed = [
        f"{name} was changed after it landed: every database that ran it would refuse to start. "
        "Put it back and write a new migration."
        for name in sorted(landed.keys() & there.keys())
        if landed[name] != there[name]
    ]
    new = [
        f"{name} is not recorded yet. When it is final run `python -m tests.architecture.write_docs`."
        for name in sorted(there.keys() - landed.keys())
    ]
    return gone + changed + new


def test_landed_migrations_are_as_they_landed():
    """Schema changes go forward only: a new file, never another text in an old one."""
    found = faults(migrations.load(), recorded())
    assert not found, "\n".join(found)


def test_a_changed_migration_is_found():
    """Changed, gone and unrecorded are three different words to the contributor."""
    one, two = Migration(1, "one", "", "aa"), Migration(2, "two", "", "bb")
    said = faults([one, two], {"0001_one.sql": "cc", "0003_three.sql": "dd"})
    assert [line.split(" ")[0] for line in said] == ["0003_three.sql", "0001_one.sql", "0002_two.sql"]
    assert "gone" in said[0]
    assert "changed" in said[1]
    assert "not recorded" in said[2]
