"""Codes and custom tokens: what they look like, and what they depend on."""

import re

import pytest

from service.crypto import code_secrets, link_secrets

KEY = bytes(32)


def test_a_code_keeps_its_leading_zeros():
    """Six digits, always: a code that begins with zeros is shown and compared with them."""
    assert code_secrets.digits(KEY, "a") == "034458"
    assert all(re.fullmatch(r"\d{6}", code_secrets.digits(KEY, str(number))) for number in range(1000))


@pytest.mark.parametrize("length", range(code_secrets.SHORTEST, code_secrets.LONGEST + 1))
def test_a_custom_token_has_its_length(length: int):
    """Of every length it is told from a link's secret, the short form's 36 characters included."""
    secret = code_secrets.characters(KEY, length, "a")
    assert len(secret) == length
    assert code_secrets.may_be_custom(secret)
    assert code_secrets.characters(KEY, length, "b") != secret


@pytest.mark.parametrize("text", ["abc", "ABCD", "f" * 129, "12 456", "none", "é123", "١٢٣٤٥٦", "abcd\n", ""])
def test_nothing_else_looks_like_one(text: str):
    """Only lower-case hexadecimal characters of ASCII, 4 to 128: anything else costs no look-up as a custom token."""
    assert not code_secrets.may_be_custom(text)


@pytest.mark.parametrize("form", ["long", "short"])
def test_a_links_secret_is_no_custom_token(form: link_secrets.Form):
    """So each secret has one way, by its form alone."""
    made = [link_secrets.make(form, KEY, f"{number:020x}", str(number)) for number in range(1000)]
    assert not any(map(code_secrets.may_be_custom, made))
