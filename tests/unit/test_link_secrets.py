"""The two forms of a link's secret."""

import re
import string
from base64 import urlsafe_b64decode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service import ids
from service.crypto import link_secrets

KEY = bytes(range(32))
ID = "18c2a5f3b7d0a1b2c3d4"
ids_ = st.text("0123456789abcdef", min_size=20, max_size=20)
parts = st.lists(st.text(st.characters(codec="utf-8"), max_size=8), max_size=6)
forms = st.sampled_from(("long", "short"))
ALPHABETS = {"long": "0123456789abcdef", "short": string.ascii_letters + string.digits + "-_"}


def test_the_forms_stay_what_they_are() -> None:
    """Golden: what is in a mail today must still open after an upgrade."""
    bound = ("recovery", "shop", ID, "ann", "ann@example.com", "1")
    long, short = link_secrets.make("long", KEY, ID, *bound), link_secrets.make("short", KEY, ID, *bound)
    assert long.startswith(ID + "b2868d7266297b3eae4fefa1")
    assert short == "GMKl87fQobLD1KV-d6VArgxGUKZyBbiDSkHL"
    assert (len(long), len(short)) == (256, 36)
    assert urlsafe_b64decode(short)[10:].hex() not in long, "one tells nothing of the other"


@given(key=st.binary(min_size=32, max_size=32), id_=ids_, bound=parts, form=forms)
def test_a_secret_names_its_token(key: bytes, id_: str, bound: list[str], form: link_secrets.Form) -> None:
    """Either form is told by its look, fits an address unescaped, and names the token that it was made for."""
    secret = link_secrets.make(form, key, id_, *bound)
    assert (link_secrets.form_of(secret), link_secrets.token_id(secret)) == (form, id_)
    assert re.fullmatch(r"[A-Za-z0-9_-]+", secret)


@given(id_=ids_, bound=parts, form=forms, at=st.integers(0, 255), letter=st.integers(0, 63))
def test_no_two_texts_are_one_secret(id_: str, bound: list[str], form: link_secrets.Form, at: int, letter: int) -> None:
    """Another character anywhere is another id or another proof: there are no spare bits, capitals or padding."""
    secret = link_secrets.make(form, KEY, id_, id_, *bound)
    at, alphabet = at % len(secret), ALPHABETS[form]
    other = secret[:at] + alphabet[letter % len(alphabet)] + secret[at + 1 :]
    named = link_secrets.token_id(other)
    assert named is not None
    assert (link_secrets.make(form, KEY, named, named, *bound) == other) is (other == secret)


@given(one=parts, other=parts, form=forms)
def test_a_secret_depends_on_all_that_it_is_bound_to(one: list[str], other: list[str], form: link_secrets.Form) -> None:
    """Two lists of parts make one secret only if they are the same list."""
    made = [link_secrets.make(form, KEY, ID, *bound) for bound in (one, other)]
    assert (made[0] == made[1]) is (one == other)


@given(st.text(max_size=300) | st.text(ALPHABETS["short"] + "=+/", min_size=34, max_size=38))
@example("A" * 36 + "\n")
@example("f" * 256 + "\n")
@example("é" * 36)
@example("F" * 256)
def test_a_text_of_neither_form_names_nothing(text: str) -> None:
    """Any text is judged by its look alone; nothing is decoded that isn't of a form."""
    fits = re.fullmatch(r"[0-9a-f]{256}|[A-Za-z0-9_-]{36}", text) is not None
    assert (link_secrets.form_of(text) is not None, link_secrets.token_id(text) is not None) == (fits, fits)


@pytest.mark.parametrize("form", ["long", "short"])
def test_ids_of_today_fit(form: link_secrets.Form) -> None:
    """An id as the service makes it goes in and comes out."""
    id_ = ids.new()
    assert link_secrets.token_id(link_secrets.make(form, KEY, id_)) == id_
