"""The one door to Postgres: a pool, transactions, and statements read by name from sql/queries."""

from service.db.connections import ACQUIRE, Connection, connect
from service.db.error_mapping import (
    Fault,
    OutcomeUnknown,
    PostgresGone,
    PostgresHung,
    UniqueViolation,
    diagnose,
    fault_of,
    is_about_values,
    refusal,
    undone,
)
from service.db.explanations import explain
from service.db.pool import Pool
from service.db.retries import perform
from service.db.statements import SQL, Executor, Queries, Statement
from service.db.transactions import transaction

__all__ = [
    "ACQUIRE",
    "SQL",
    "Connection",
    "Executor",
    "Fault",
    "OutcomeUnknown",
    "Pool",
    "PostgresGone",
    "PostgresHung",
    "Queries",
    "Statement",
    "UniqueViolation",
    "connect",
    "diagnose",
    "explain",
    "fault_of",
    "is_about_values",
    "perform",
    "refusal",
    "transaction",
    "undone",
]
