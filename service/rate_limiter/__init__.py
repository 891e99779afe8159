"""Rate limits: exact sliding windows, counted before anything is looked at.

Each stands in Redis and in Postgres. Redis comes first: what it refuses costs Postgres nothing. Postgres has the last
word, so a window's number is exact while Redis is away, hangs, answers late, or has lost everything. A place that a
call took can be given back, for calls that were no guess after all.
"""

from service.rate_limiter.limiter import Limits
from service.rate_limiter.rules import DAY, HOUR, Only, Place, Rule, Tally, Used, Verdict, Window

__all__ = ["DAY", "HOUR", "Limits", "Only", "Place", "Rule", "Tally", "Used", "Verdict", "Window"]
