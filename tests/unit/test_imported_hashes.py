"""Hashes from elsewhere: which can be proved here, and at what cost."""

import base64
import hashlib

import bcrypt
import pytest

from service.crypto import weak_hashes
from service.crypto.password_hashing import PasswordHashPool, from_scrypt, method_of
from service.crypto.weak_hashes import WeakHash


@pytest.fixture
def passwords():
    passwords = PasswordHashPool(threads=1)
    yield passwords
    passwords.close()


# Published examples: RFC 7914 section 12, the bcrypt of John the Ripper's tests, the reference Argon2's own.
_KNOWN = [
    ("pleaseletmein", "scrypt", from_scrypt(
        bytes.fromhex("7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                      "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"),
        salt=b"SodiumChloride", n=16384, r=8, p=1)),
    ("U*U", "bcrypt", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
    ("password", "argon2", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
    ("password", "argon2", "$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$wWKIMhR9lyDFvRz9YTZweHKfbftvj+qf+YFY4NeBbtA"),
]  # fmt: skip


@pytest.mark.parametrize(("password", "method", "line"), _KNOWN)
async def test_known_hashes(passwords: PasswordHashPool, password: str, method: str, line: str):
    """Hashes that others have published are proved by their password and by no other, and are to be replaced."""
    assert method_of(line) == method
    assert await passwords.verify(line, password)
    assert not await passwords.verify(line, password + "x")
    assert passwords.is_outdated(line)


async def test_our_own(passwords: PasswordHashPool):
    """A hash of our own parameters is up to date."""
    line = await passwords.hash("correct horse")
    assert method_of(line) == "argon2"
    assert not passwords.is_outdated(line)
    assert await passwords.verify(line, "correct horse")
    assert not await passwords.verify(None, "correct horse")


async def test_all_of_a_long_password_counts(passwords: PasswordHashPool):
    """Ours looks at every byte, bcrypt's at 72 of them, and neither stumbles over more (S49)."""
    long = "é" * 100
    line = await passwords.hash(long)
    assert not await passwords.verify(line, long[:-1] + "e")
    foreign = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()
    assert await passwords.verify(foreign, long)


@pytest.mark.parametrize(
    ("n", "r", "p", "salt", "length"),
    [(2, 1, 1, b"", 16), (8, 14, 1, b"pepper", 64), (1024, 8, 16, b"\xff" * 255, 128)],
)
async def test_scrypt_lines(passwords: PasswordHashPool, n: int, r: int, p: int, *, salt: bytes, length: int):
    """A scrypt hash of any bearable shape is kept and proved."""
    digest = hashlib.scrypt(b"correct horse", salt=salt, n=n, r=r, p=p, dklen=length)
    line = from_scrypt(digest, salt=salt, n=n, r=r, p=p)
    assert await passwords.verify(line, "correct horse")
    assert not await passwords.verify(line, "wrong horse")


@pytest.mark.parametrize(
    ("n", "r", "p", "length"),
    [(0, 8, 1, 64), (1, 8, 1, 64), (3, 8, 1, 64), (-2, 8, 1, 64), (2**19, 8, 1, 64), (2**17, 8, 3, 64), (8, 0, 1, 64),
     (8, 8, 0, 64), (8, 8, 1, 15), (8, 8, 1, 130), (2, 2**21, 1, 64), (8, -1, -1, 64)],
)  # fmt: skip
def test_unbearable_scrypt(n: int, r: int, p: int, length: int):
    """N is a power of two, memory stays below 256 MiB and the work below about a second (S53)."""
    with pytest.raises(ValueError, match="scrypt"):
        from_scrypt(b"x" * length, salt=b"salt", n=n, r=r, p=p)


_SALT, _HASH = "c29tZXNhbHQ", base64.b64encode(b"x" * 32).decode().rstrip("=")


@pytest.mark.parametrize(
    "line",
    [
        "", "plain", "$1$abc$def", "$2x$05$" + "a" * 53, "$2b$15$" + "a" * 53, "$2b$05$" + "a" * 52,
        f"$argon2id$v=19$m=262145,t=1,p=1${_SALT}${_HASH}", f"$argon2id$v=19$m=65536,t=33,p=1${_SALT}${_HASH}",
        f"$argon2id$v=19$m=4096,t=1,p=9${_SALT}${_HASH}", f"$argon2id$v=19$m=4096,t=1${_SALT}${_HASH}",
        f"$argon2id$v=19$m=65536,t=2,p=1${_SALT}${'A' * 500}", f"$scrypt$ln=99,r=8,p=1${_SALT}${_HASH}",
        f"$scrypt$ln=3,r=8,p=1${_SALT}aa${_HASH}", f"$scrypt$ln=3,r=8,p=1${_SALT}$", "$scrypt$",
    ],
)  # fmt: skip
async def test_what_is_no_hash(passwords: PasswordHashPool, line: str):
    """Anything else proves nothing, whatever the password, and raises nothing."""
    assert method_of(line) is None
    assert not await passwords.verify(line, "password")
    assert passwords.is_outdated(line)


# Of RFC 1321 and FIPS 180 by `md5sum` and `openssl`, of PHPass's own test program, and of Firebase's scrypt program.
_WEAK = [
    ("password", weak_hashes.read_digest("md5", "5f4dcc3b5aa765d61d8327deb882cf99")),
    ("password", weak_hashes.read_digest("sha1", "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8")),
    ("test12345", weak_hashes.read_phpass("$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0")),
]
_FIREBASE = {
    "salt": "42xEC+ixf3L2lw==", "separator": "Bw==",
    "signer_key": "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==",
}  # fmt: skip
_OF_FIREBASE = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="


@pytest.mark.parametrize(("password", "weak"), _WEAK)
async def test_weak_hashes_are_wrapped(passwords: PasswordHashPool, password: str, weak: WeakHash):
    """No weak digest is in the line that is kept; it proves its password and no other, and is to be replaced."""
    line = await passwords.wrap(weak)
    assert weak.digest.reveal() not in line
    assert method_of(line) == "wrapped"
    assert await passwords.verify(line, password)
    assert not await passwords.verify(line, password + "x")
    assert not await passwords.verify(line, weak.digest.reveal())
    assert passwords.is_outdated(line)


async def test_firebases_scrypt(passwords: PasswordHashPool):
    """The example that Firebase publishes is proved by its password and by no other."""
    line = weak_hashes.from_firebase(_OF_FIREBASE, **_FIREBASE)
    assert method_of(line) == "firebase"
    assert await passwords.verify(line, "user1password")
    assert not await passwords.verify(line, "user2password")
    assert passwords.is_outdated(line)


@pytest.mark.parametrize(
    ("name", "text"), [("md5", ""), ("md5", "x" * 32), ("md5", "5f" * 15), ("sha1", "5f" * 32), ("sha512", " " * 128)]
)
def test_what_is_no_digest(name: str, text: str):
    """Of another length, or no hex."""
    with pytest.raises(ValueError, match=r"length|hexadecimal"):
        weak_hashes.read_digest(name, text)


@pytest.mark.parametrize("text", ["", "$P$9IQRaTwmfeRo7ud9Fh4E2PdI0S3r.L", "$P$ZIQRaTwmfeRo7ud9Fh4E2PdI0S3r.L0", "*0"])
def test_what_is_no_portable_hash(text: str):
    """Cut off, of a cost that is too high, or none."""
    with pytest.raises(ValueError, match="portable"):
        weak_hashes.read_phpass(text)


def test_lines_that_nobody_made():
    """A wrapped line of an unknown digest, without its setting, or around another kind; a hash without its key."""
    line = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
    for text in (
        f"$wrapped$md4${line}",
        f"$wrapped$phpass${line}",
        f"$wrapped$md5$9IQRaTwmf{line}",
        "$wrapped$md5$$2b$x",
    ):
        assert method_of(text) is None
    for change in ({"signer_key": "eA=="}, {"salt": "!"}, {"separator": ""}):
        with pytest.raises(ValueError, match="Firebase"):
            weak_hashes.from_firebase(_OF_FIREBASE, **_FIREBASE | change)
