"""`python -m tests.architecture.write_docs` brings the tables of docs/ up to date and records new migrations."""

from service.store import migrations
from tests.architecture.tables import TABLES, page, written
from tests.architecture.test_migrations_frozen import RECORD, name_of, recorded


def main() -> None:
    for name in TABLES:
        path = page(name)
        path.write_text(written(name, path.read_text()))
    landed = recorded() if RECORD.exists() else {}
    # What is recorded stays as it is: only its own file may be put back.
    there = {name_of(migration): migration.checksum for migration in migrations.load()} | landed
    RECORD.write_text("".join(f"{checksum}  {name}\n" for name, checksum in sorted(there.items())))


if __name__ == "__main__":
    main()
