"""The time that a request has for all its calls of providers, so that it can still answer by itself."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from service import deadlines
from service.identity_providers.faults import ProviderUnavailable

# Seconds of a request's deadline that are kept for what comes after: a transaction, or the way back to the app.
_OWN = 0.5
Given = ParamSpec("Given")
Result = TypeVar("Result")


def in_time(call: Callable[Given, Awaitable[Result]]) -> Callable[Given, Awaitable[Result]]:
    """End a call of a provider shortly before its request's deadline. It raises ProviderUnavailable then."""

    @wraps(call)
    async def bounded(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        left = deadlines.seconds_left() - _OWN
        try:
            async with asyncio.timeout(left if math.isfinite(left) else None):
                return await call(*args, **kwargs)
        except TimeoutError:
            raise ProviderUnavailable("it gave no answer in time") from None

    return bounded
