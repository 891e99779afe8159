"""Several commands to Redis in one message, and their answers.

redis-py's pipeline does the same. Its bookkeeping cost a request more processor time than the round trip.
"""

from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import ResponseError

Argument = str | int | bytes


async def exchange(redis: Redis, commands: Sequence[Sequence[Argument]]) -> list[Any]:
    """Return an answer a command; what Redis refuses is answered by its ResponseError. Raises all other RedisErrors.

    The caller bounds the time. A connection on which it was cut short is closed.
    """
    pool = redis.connection_pool
    connection = await pool.get_connection()
    try:
        await connection.send_packed_command(connection.pack_commands(commands))
        return [await _answer(connection) for _ in commands]
    finally:
        await pool.release(connection)


async def _answer(connection: AbstractConnection) -> Any:
    try:
        return await connection.read_response()
    except ResponseError as refusal:
        return refusal
