"""Secrets encrypted under SECRET_KEYS."""

import pytest

from service.crypto import sealing
from service.crypto.sealing import CannotUnseal, Place
from service.crypto.secret import Secret

RING = {"new": b"n" * 32, "old": b"o" * 32}
TEXT = "smtp://u:p%40ss@relay.example.com:587"


PLACE = Place("relay", "shop", "ann", "one")


def seal(ring: dict[str, bytes] = RING) -> tuple[str, bytes]:
    return sealing.seal(ring, Secret(TEXT), PLACE)


def test_what_is_sealed_cannot_be_read_or_changed():
    """The text is nowhere in it, twice sealed it looks different, and any changed byte is found."""
    kid, sealed = seal()
    assert kid == "new"
    assert b"p%40ss" not in sealed
    assert b"relay" not in sealed
    assert seal()[1] != sealed
    assert sealing.unseal(RING, kid, sealed, PLACE) == Secret(TEXT)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        with pytest.raises(CannotUnseal):
            sealing.unseal(RING, kid, changed, PLACE)
    for cut in (b"", sealed[:5], sealed[:12], sealed[:20], sealed[:-1]):
        with pytest.raises(CannotUnseal):
            sealing.unseal(RING, kid, cut, PLACE)


@pytest.mark.parametrize(
    "other",
    [
        Place("other", "shop", "ann", "one"), Place("relay", "blog", "ann", "one"),
        Place("relay", "shop", "eve", "one"), Place("relay", "shop", "ann", "two"),
        Place("relay", "shopann", "", "one"), Place("relays", "hop", "ann", "one"),
    ],
)  # fmt: skip
def test_it_opens_in_its_own_row_only(other: Place):
    """A row that is copied to another user, project or purpose opens nothing, however the names are cut."""
    kid, sealed = seal()
    with pytest.raises(CannotUnseal):
        sealing.unseal(RING, kid, sealed, other)


def test_keys_can_be_rotated():
    """An older key opens what it has sealed while it is there; without it the error names it and nothing else."""
    kid, sealed = seal({"old": RING["old"]})
    assert kid == "old"
    assert sealing.unseal(RING, kid, sealed, PLACE).reveal() == TEXT
    with pytest.raises(CannotUnseal, match="the key old is not among SECRET_KEYS") as refusal:
        sealing.unseal({"new": RING["new"]}, kid, sealed, PLACE)
    assert refusal.value.__cause__ is None
    with pytest.raises(CannotUnseal, match="another key of that name"):
        sealing.unseal({"old": RING["new"]}, kid, sealed, PLACE)
