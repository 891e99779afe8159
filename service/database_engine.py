"""The database engine that answers, and why it is refused where this service's promises may not hold (docs/scale.md).

Many engines speak Postgres's protocol. What makes accounts and mails safe here are locks, unique keys and read
committed as Postgres has them; an engine that is not known to have them is refused.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

# As Postgres's own builds say it, those of distributions and of managed services too.
_POSTGRES = re.compile(
    r"PostgreSQL (?P<release>\d+)(?:\.\d+|beta\d+|rc\d+|devel)*(?: \([^)]*\))? on \S+, compiled by .+"
)
# Words of `version()`, in the order in which they are looked for.
_REFUSED = {
    "CockroachDB": "its advisory locks do nothing, so that processes which start together migrate at once, and two"
    " accounts could get one address",
    "-YB-": "it is YugabyteDB, whose advisory locks, partitions and isolation differ by release; not tried",
    "Redshift": "it is a warehouse: unique keys are not enforced there, and rows can't be locked",
    "Greenplum": "it is a warehouse: it locks whole tables where this service locks rows",
    "Materialize": "it has no transactions that read and write",
    "openGauss": "it left Postgres at release 9.2; not tried",
}
_DSQL = (
    "it is Aurora DSQL, which has no functions in plpgsql, no foreign keys and no row locks that wait; two requests"
    " could not be kept apart"
)
_UNKNOWN = "is an engine that is not known here: what this service promises was only tried on Postgres"
# Extensions and prefixes of settings by which engines that are Postgres, with more to it, are told.
_NAMES = {
    "citus": "Citus", "rds": "Amazon RDS", "aurora": "Amazon Aurora", "azure": "Azure", "cloudsql": "Cloud SQL",
    "alloydb": "AlloyDB", "neon": "Neon", "supautils": "Supabase", "timescaledb": "TimescaleDB",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine. `fault` is why it is refused, to be read after "Postgres"; empty if it is known to be fit."""

    name: str
    fault: str = ""


def identify(version: str, marks: Collection[str] = ()) -> Engine:
    """Identify an engine by its `version()`, and by its extensions and prefixes of settings."""
    for word, why in _REFUSED.items():
        if word in version:
            return Engine(word.strip("-"), f"can't be this engine ({version.partition(',')[0]}): {why}")
    if "dsql" in marks:
        return Engine("Aurora DSQL", f"can't be this engine: {_DSQL}")
    if not _POSTGRES.fullmatch(version):
        return Engine("unknown", f"{_UNKNOWN} ({version.partition(',')[0]})")
    return Engine(next((name for mark, name in _NAMES.items() if mark in marks), "Postgres"))
