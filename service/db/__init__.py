"""Access to Postgres: a pool, transactions, and statements read by name from sql/queries."""

from service.db.acts import Act
from service.db.connections import ACQUIRE, PREPARED_STATEMENTS, SESSION, Connection, connect
from service.db.error_mapping import (
    OUTAGES,
    DatabaseFault,
    ForeignKeyViolation,
    OutcomeUnknown,
    PostgresGone,
    PostgresHung,
    classify,
    describe_refusal,
    find_fault,
    is_about_values,
    is_rolled_back,
)
from service.db.explanations import explain
from service.db.pool import Pool
from service.db.retries import run_with_retry
from service.db.single_acts import run_act
from service.db.statements import SQL, Executor, Queries, Statement
from service.db.transactions import transaction

__all__ = [
    "ACQUIRE",
    "OUTAGES",
    "PREPARED_STATEMENTS",
    "SESSION",
    "SQL",
    "Act",
    "Connection",
    "DatabaseFault",
    "Executor",
    "ForeignKeyViolation",
    "OutcomeUnknown",
    "Pool",
    "PostgresGone",
    "PostgresHung",
    "Queries",
    "Statement",
    "classify",
    "connect",
    "describe_refusal",
    "explain",
    "find_fault",
    "is_about_values",
    "is_rolled_back",
    "run_act",
    "run_with_retry",
    "transaction",
]
