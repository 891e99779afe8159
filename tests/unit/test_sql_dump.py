"""Dumps of MariaDB: each form that its programs write has the same rows."""

from pathlib import Path

import pytest

from service.cli.appwrite import sql_dump
from service.cli.commands import UsageError

_DUMP = Path(__file__).parents[1] / "integration" / "data" / "appwrite.sql"
_END = b"-- Dump completed\n"


def rows(path: Path, data: bytes, *suffixes: str) -> list[tuple[str, dict[str, sql_dump.Value]]]:
    path.write_bytes(data)
    return [(each.table, each.values) for each in sql_dump.rows(str(path), suffixes)]


def test_one_statement_a_line(tmp_path: Path):
    """Earlier versions, and MySQL, write all rows of a statement on one line."""
    now, suffixes = _DUMP.read_bytes(), ("_users", "_identities")
    found = rows(tmp_path / "a", now, *suffixes)
    earlier = now.replace(b"VALUES\n(", b"VALUES (").replace(b"),\n(", b"),(")
    assert (len(found), earlier == now) == (12, False)
    assert rows(tmp_path / "b", earlier, *suffixes) == found
    assert rows(tmp_path / "c", now.replace(b"\n", b"\r\n"), *suffixes) == found


def test_values(tmp_path: Path):
    """Escapes mean what MariaDB means by them; other tables are passed over, whatever is in them."""
    text = rb"REPLACE INTO `a_users` (`a`, `b`) VALUES (NULL,'\0\b\n\r\t\Z\\\'\"it''s'),(-7,_binary 'x'),(1.5,0x4142);"
    other = b"INSERT INTO `b` VALUES ('\xff); nothing\n"
    assert rows(tmp_path / "a", other + text + b"\n" + _END, "_users") == [
        ("a_users", {"a": None, "b": "\0\b\n\r\t\x1a\\'\"it's"}), ("a_users", {"a": -7, "b": "x"}),
        ("a_users", {"a": "1.5", "b": "0x4142"}),
    ]  # fmt: skip
    for broken in (b"(1,'x'", b"(1)", b"(1,2,3);", b"(1,x);", b"(1,'x') ;", b"1,2;", b"(1,'x\\');", b"(1,'x')("):
        with pytest.raises(UsageError, match="line 1: this is no row"):
            rows(tmp_path / "a", b"INSERT INTO `a_users` (`a`, `b`) VALUES " + broken + b"\n" + _END, "_users")
