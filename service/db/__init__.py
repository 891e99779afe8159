"""The one door to Postgres: a pool, transactions, and statements read by name from sql/queries."""

from service.db.faults import UniqueViolation, diagnose, refusal
from service.db.pool import ACQUIRE, Connection, Pool, connect, transaction
from service.db.statements import SQL, Executor, Queries, Statement

__all__ = [
    "ACQUIRE",
    "SQL",
    "Connection",
    "Executor",
    "Pool",
    "Queries",
    "Statement",
    "UniqueViolation",
    "connect",
    "diagnose",
    "refusal",
    "transaction",
]
