"""Recovery codes: what they look like, and what is forgiven who types one."""

import re

import pytest

from service.crypto import recovery_codes
from service.crypto.secret import Secret


def test_a_set_has_ten_codes_that_name_their_place():
    """The first character is the place; eleven more have 55 random bits."""
    made = recovery_codes.generate()
    assert [recovery_codes.place_of(code) for code in made] == list(range(10))
    assert len({code.reveal()[1:] for code in made}) == 10
    for code in made:
        assert re.fullmatch(r"[0-9a-hjkmnp-tv-z]{12}", code.reveal())
        assert recovery_codes.parse(recovery_codes.shown(code)) == code


@pytest.mark.parametrize(
    "typed", ["3abc-0f1g-1j2k", "3ABC-0F1G-1J2K", " 3abc 0f1g 1j2k\n", "3abcOf1gLj2k", "3abc-of ig-1j2k"]
)
def test_case_spaces_hyphens_and_look_alikes_are_forgiven(typed: str):
    """O is 0, I and L are 1: Crockford's base32 has neither letter."""
    assert recovery_codes.parse(typed) == Secret("3abc0f1g1j2k")


@pytest.mark.parametrize(
    "typed", ["", "3abc-0f1g-1j2", "3abc-0f1g-1j2kk", "xabc-0f1g-1j2k", "3abu-0f1g-1j2k", "123456"]
)
def test_anything_else_is_no_code(typed: str):
    """Too short, too long, no place, a letter that no code has, six digits."""
    assert recovery_codes.parse(typed) is None
