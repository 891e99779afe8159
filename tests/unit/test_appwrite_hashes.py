"""Columns that Appwrite's database has encrypted."""

import json

import pytest

from service.crypto.appwrite_hashes import UnfitHash, decrypt
from service.crypto.secret import Secret

# PHP 8.2 has made them: openssl_encrypt("hash", "aes-128-gcm", KEY, 0, str_repeat("\0", 12), $tag).
_SEALED = {"method": "aes-128-gcm", "iv": "00" * 12, "version": "1"}
_LONG = _SEALED | {"data": "yR9kJQ==", "tag": "0d12d327fd4d0457fcb968c68b8c7e95"}
_SHORT = _SEALED | {"data": "slUUdw==", "tag": "e0b9bab441c81706eb1d8b31cc1591b8"}


@pytest.mark.parametrize(("column", "key"), [(_LONG, "a key of more than 16 characters"), (_SHORT, "short")])
def test_what_php_has_encrypted(column: dict[str, str], key: str):
    """PHP cuts a long key and fills up a short one; another key, none, or damage is told apart, without the text."""
    assert decrypt(json.dumps(column), Secret(key)) == "hash"
    faults = []
    for text, given in (
        (json.dumps(column), Secret("another")), (json.dumps(column), None), (json.dumps(column)[:-9], Secret(key)),
        (json.dumps(column | {"method": "aes-256-cbc"}), Secret(key)), (json.dumps(column | {"iv": 5}), Secret(key)),
    ):  # fmt: skip
        with pytest.raises(UnfitHash) as fault:
            decrypt(text, given)
        faults.append(str(fault.value).removeprefix("is encrypted"))
    assert faults == [
        " under another key", ", and there is no key for it", ", and damaged", " in a way that is not known here",
        ", and damaged",
    ]  # fmt: skip
    assert decrypt("$argon2id$plain", None) == "$argon2id$plain"
