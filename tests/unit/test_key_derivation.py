"""Keys derived from the server's keys."""

import hashlib
import hmac

from service.crypto import key_derivation

KEY = bytes(range(32))


def test_parts_do_not_run_into_each_other():
    """("ab", "c"), ("a", "bc"), ("abc",) and ("abc", "") are four different messages."""
    derived = [
        key_derivation.derive(KEY, *parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""), ("", "abc"))
    ]
    assert len(set(derived)) == 5


def test_derivation_is_hmac_sha256_of_sized_parts():
    """Golden: what is in a mail today must still open after an upgrade."""
    message = b"\0\0\0\x03jwt" + b"\0\0\0\x04shop"
    assert key_derivation.derive(KEY, "jwt", "shop") == hmac.new(KEY, message, hashlib.sha256).digest()
    assert (
        key_derivation.derive(KEY, "jwt", "shop").hex()
        == "e9fc80708c9e91f831380596bb916181a8c11fe831065905e5bfb90df58fc367"
    )
    assert (
        key_derivation.expand(KEY, 118, "token", "a")
        .hex()
        .startswith("7145c80c34a431a6d5b691e17370a0e5c29eb9a9129f6bf1")
    )


def test_parts_may_be_any_text():
    """Length counts bytes, so that letters of several bytes stay apart too."""
    assert key_derivation.derive(KEY, "ä", "b") != key_derivation.derive(KEY, "äb", "")


def test_stretching_is_a_prefix_of_longer_stretching():
    """The first bytes do not depend on how many are asked for; blocks differ from each other."""
    long = key_derivation.expand(KEY, 118, "token", "a")
    assert len(long) == 118
    assert key_derivation.expand(KEY, 32, "token", "a") == long[:32]
    assert key_derivation.expand(KEY, 64, "token", "a") == long[:64]
    assert len({long[:32], long[32:64], long[64:96]}) == 3


def test_another_key_another_secret():
    """Nothing of one key's derivation is another's."""
    assert key_derivation.expand(KEY, 118, "a") != key_derivation.expand(bytes(32), 118, "a")


def test_the_first_key_is_the_current_one():
    """SECRET_KEYS is an ordered list: the first makes new secrets."""
    assert key_derivation.current({"b": KEY, "a": KEY}) == "b"


def test_a_digest_is_sha256():
    """So an operator can compare a key with its row by any tool."""
    assert key_derivation.digest("key_x") == hashlib.sha256(b"key_x").digest()
