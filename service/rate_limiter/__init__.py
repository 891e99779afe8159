"""Rate limits: exact sliding windows, counted before any other check.

Each is in Redis and in Postgres. Redis comes first: what it refuses costs Postgres nothing. Postgres has the last
word, so a window's number is exact while Redis is away, hangs, answers late, or has lost everything. A place that a
call took can be refunded, for calls that were no guess after all.
"""

from service.rate_limiter.deferred import DeferredCount
from service.rate_limiter.limiter import RateLimiter
from service.rate_limiter.rules import DAY, HOUR, Decision, Only, Rule, Tally, Usage, Window

__all__ = ["DAY", "HOUR", "Decision", "DeferredCount", "Only", "RateLimiter", "Rule", "Tally", "Usage", "Window"]
