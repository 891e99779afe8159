"""Bodies of other servers' answers, read so far and no further."""

import aiohttp


async def read_up_to(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Read a body, `most` bytes of it at most; a single `read` would return what has arrived by then."""
    body = bytearray()
    while len(body) < most and (chunk := await response.content.read(most - len(body))):
        body += chunk
    return bytes(body)
