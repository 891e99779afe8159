"""Connection to a receiver of syslog: messages of RFC 5424, each with its length before it (RFC 5425, RFC 6587).

Syslog has no acknowledgements. `send` returns when the receiver's kernel has all bytes; whether its program has read
them nobody tells.
"""

import array
import asyncio
import fcntl
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

# Seconds to connect, and those that a receiver may take for what it was sent.
_CONNECTING, _SENDING = 10.0, 30.0
# Seconds of silence before the kernel asks an idle receiver whether it is there, and between two such questions.
_IDLE, _PROBE, _PROBES = 30, 10, 3
_LOOK = 0.01
# SIOCOUTQ of Linux: bytes that the peer has not acknowledged.
_UNACKNOWLEDGED = 0x5411
_TLS_PORT = 6514
_CHUNK = 65536


class Lost(OSError):
    """The receiver can't be reached, or is gone; the message says why."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """`context` is None without TLS."""

    host: str
    port: int
    context: ssl.SSLContext | None = None

    @property
    def name(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def receiver(url: str, *, ca: str | None = None, client_cert: str | None = None, plain: bool = False) -> Receiver:
    """Read tls://host:port, or syslog+tcp://host:port to this machine; to others if `plain`. Raises ValueError."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port  # raises ValueError
    surplus = parts.username is not None or parts.path.strip("/") or parts.query or parts.fragment
    host.encode("idna")  # raises UnicodeError, a ValueError
    if parts.scheme not in ("tls", "syslog+tcp") or not host or surplus or port == 0:
        raise ValueError("tls://host:port, or syslog+tcp://127.0.0.1:port")
    if parts.scheme == "tls":
        try:
            context = ssl.create_default_context(cafile=ca)
            if client_cert:
                context.load_cert_chain(client_cert)
        except OSError as error:  # ssl.SSLError is one
            raise ValueError(f"a certificate can't be read: {error.strerror or error}") from None
        return Receiver(host, port or _TLS_PORT, context)
    if ca or client_cert:
        raise ValueError("syslog+tcp:// has no certificates: tls://host:port")
    if port is None:
        raise ValueError("syslog+tcp:// needs a port")
    if host != "127.0.0.1" and not plain:
        raise ValueError("syslog+tcp:// is not encrypted, so it goes to 127.0.0.1 alone: tls://, or --unencrypted")
    return Receiver(host, port)


@dataclass(slots=True)
class Connection:
    """One connection; without TLS `_tls` is None."""

    _socket: socket.socket
    _tls: ssl.SSLObject | None
    _incoming: ssl.MemoryBIO
    _outgoing: ssl.MemoryBIO

    @classmethod
    async def open(cls, to: Receiver) -> Self:
        """Connect, and check the certificate. Raises Lost."""
        try:
            async with asyncio.timeout(_CONNECTING):
                return await cls._open(to)
        except (OSError, TimeoutError) as error:
            raise Lost(_reason(error)) from None

    @classmethod
    async def _open(cls, to: Receiver) -> Self:
        found = await _connect(to)
        try:
            incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
            tls = to.context.wrap_bio(incoming, outgoing, server_hostname=to.host) if to.context else None
            made = cls(found, tls, incoming, outgoing)
            await made._shake_hands()
        except BaseException:
            found.close()
            raise
        return made

    async def _shake_hands(self) -> None:
        loop = asyncio.get_running_loop()
        while self._tls:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await loop.sock_sendall(self._socket, self._outgoing.read())
                if not (came := await loop.sock_recv(self._socket, _CHUNK)):
                    raise ConnectionResetError("it has ended the connection in the handshake") from None
                self._incoming.write(came)
            else:
                await loop.sock_sendall(self._socket, self._outgoing.read())
                return

    async def send(self, messages: Sequence[bytes]) -> None:
        """Return when the receiver's kernel has acknowledged all bytes. Raises Lost."""
        frames = b"".join(b"%d %b" % (len(message), message) for message in messages)
        try:
            self._look()
            async with asyncio.timeout(_SENDING):
                await asyncio.get_running_loop().sock_sendall(self._socket, self._encrypted(frames))
                while _unacknowledged(self._socket):  # noqa: ASYNC110 - the kernel tells no event
                    await asyncio.sleep(_LOOK)
            self._look()
        except (OSError, TimeoutError) as error:
            raise Lost(_reason(error)) from None

    def check(self) -> None:
        """Raise Lost if the receiver has ended the connection."""
        try:
            self._look()
        except OSError as error:
            raise Lost(_reason(error)) from None

    def close(self) -> None:
        """End the connection in order, as far as the receiver lets us without a wait."""
        try:
            if self._tls:
                try:
                    self._tls.unwrap()
                except ssl.SSLError:  # its own end is not there yet
                    self._socket.send(self._outgoing.read())
        except OSError:
            pass
        finally:
            self._socket.close()

    def _encrypted(self, content: bytes) -> bytes:
        if self._tls is None:
            return content
        self._tls.write(content)
        return self._outgoing.read()

    def _look(self) -> None:
        """Read what has come: receivers say nothing, but TLS does. Raises OSError at the end."""
        try:
            while True:
                came = self._socket.recv(_CHUNK)
                if not came:
                    raise ConnectionResetError("it has ended the connection")
                if self._tls:
                    self._incoming.write(came)
                    if not self._tls.read(_CHUNK):
                        raise ConnectionResetError("it has ended the connection")
        except (BlockingIOError, ssl.SSLWantReadError):
            pass


async def _connect(to: Receiver) -> socket.socket:
    """Connect to the first address that answers. Raises OSError."""
    loop = asyncio.get_running_loop()
    fault: OSError = OSError("it has no address")
    for family, kind, protocol, _, address in await loop.getaddrinfo(to.host, to.port, type=socket.SOCK_STREAM):
        made = socket.socket(family, kind, protocol)
        try:
            made.settimeout(0)
            _watch(made)
            await loop.sock_connect(made, address)
        except OSError as error:
            made.close()
            fault = error
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise fault


def _watch(made: socket.socket) -> None:
    """Have the kernel notice a machine that is gone without a word."""
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if sys.platform == "linux":
        for option, value in (("TCP_KEEPIDLE", _IDLE), ("TCP_KEEPINTVL", _PROBE), ("TCP_KEEPCNT", _PROBES)):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def _unacknowledged(made: socket.socket) -> int:
    if sys.platform != "linux":
        return 0
    found = array.array("i", [0])
    fcntl.ioctl(made.fileno(), _UNACKNOWLEDGED, found)
    return found[0]


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    return "it does not answer" if isinstance(error, TimeoutError) else str(error.args[-1] if error.args else error)
