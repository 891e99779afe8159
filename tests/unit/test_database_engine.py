"""Engines: Postgres and what is Postgres with more to it are taken, all others are refused with the reason."""

import pytest

from service.database_engine import identify

_GCC = "compiled by gcc (Debian 12.2.0-14+deb12u1) 12.2.0, 64-bit"
_COCKROACH = "CockroachDB CCL v23.1.11 (x86_64-pc-linux-gnu, built 2023/09/27 01:53:43, go1.19.13)"
_YUGABYTE = "PostgreSQL 11.2-YB-2.20.1.0-b0 on x86_64-pc-linux-gnu, compiled by clang version 16.0.6, 64-bit"
_REDSHIFT = "PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2 20041017, Redshift 1.0.12103"
_GREENPLUM = "PostgreSQL 12.12 (Greenplum Database 7.1.0 build commit:e7c2b1f) on x86_64-pc-linux-gnu, compiled by gcc"
_OPENGAUSS = "(openGauss 5.0.0 build a07d57c3) compiled at 2023-03-29 03:37:13 commit 0 last mr"


@pytest.mark.parametrize(
    ("version", "marks", "name"),
    [
        (f"PostgreSQL 15.14 (Debian 15.14-0+deb12u1) on x86_64-pc-linux-gnu, {_GCC}", {"plpgsql"}, "Postgres"),
        ("PostgreSQL 17.2 on aarch64-unknown-linux-gnu, compiled by gcc (GCC) 12.4.0, 64-bit", set(), "Postgres"),
        ("PostgreSQL 18beta1 on x86_64-pc-linux-musl, compiled by gcc (Alpine 13.2.1) 13.2.1, 64-bit", {}, "Postgres"),
        (f"PostgreSQL 15.20 on x86_64-pc-linux-gnu, {_GCC}", {"plpgsql", "citus", "citus_columnar"}, "Citus"),
        (f"PostgreSQL 16.1 on x86_64-pc-linux-gnu, {_GCC}", {"plpgsql", "rds"}, "Amazon RDS"),
        (f"PostgreSQL 16.3 (3ad4bd4) on aarch64-unknown-linux-gnu, {_GCC}", {"neon"}, "Neon"),
    ],
)
def test_postgres_is_taken(version: str, marks: set[str], name: str):
    """Builds of distributions and managed services are Postgres; the name tells them apart, the verdict doesn't."""
    assert (identify(version, marks).name, identify(version, marks).fault) == (name, "")


@pytest.mark.parametrize(
    ("version", "marks", "word"),
    [
        (_COCKROACH, set(), "advisory locks do nothing"),
        (_YUGABYTE, set(), "YugabyteDB"),
        (_REDSHIFT, set(), "unique keys are not enforced"),
        (_GREENPLUM, set(), "warehouse"),
        (_OPENGAUSS, set(), "openGauss"),
        ("PostgreSQL 9.5.0 on x86_64-pc-linux-gnu (Materialize 0.26.1)", set(), "Materialize"),
        (f"PostgreSQL 16.2 on x86_64-pc-linux-gnu, {_GCC}", {"dsql"}, "Aurora DSQL"),
        ("PostgreSQL 16", set(), "not known"),
        (
            "SomethingDB 1.0, compatible with PostgreSQL 15.3 on x86_64-pc-linux-gnu, compiled by gcc",
            set(),
            "not known",
        ),
    ],
)
def test_an_engine_that_is_not_known_is_refused(version: str, marks: set[str], word: str):
    """The sentence says why: an operator learns it before the first account is lost."""
    assert word in identify(version, marks).fault
