"""Secrets encrypted under SECRET_KEYS."""

import pytest

from service.crypto import sealing
from service.crypto.sealing import CannotUnseal
from service.crypto.secret import Secret

RING = {"new": b"n" * 32, "old": b"o" * 32}
TEXT = "smtp://u:p%40ss@relay.example.com:587"


def seal(ring: dict[str, bytes] = RING, *, purpose: str = "relay", owner: str = "shop") -> tuple[str, bytes]:
    return sealing.seal(ring, Secret(TEXT), purpose=purpose, owner=owner)


def test_what_is_sealed_cannot_be_read_or_changed():
    """The text is nowhere in it, twice sealed it looks different, and any changed byte is found."""
    kid, sealed = seal()
    assert kid == "new"
    assert b"p%40ss" not in sealed
    assert b"relay" not in sealed
    assert seal()[1] != sealed
    assert sealing.unseal(RING, kid, sealed, purpose="relay", owner="shop") == Secret(TEXT)
    for at in range(len(sealed)):
        changed = sealed[:at] + bytes((sealed[at] ^ 1,)) + sealed[at + 1 :]
        with pytest.raises(CannotUnseal):
            sealing.unseal(RING, kid, changed, purpose="relay", owner="shop")
    for cut in (b"", sealed[:5], sealed[:12], sealed[:20], sealed[:-1]):
        with pytest.raises(CannotUnseal):
            sealing.unseal(RING, kid, cut, purpose="relay", owner="shop")


@pytest.mark.parametrize(("purpose", "owner"), [("relay", "blog"), ("other", "shop"), ("relays", "hop")])
def test_it_belongs_to_one_owner_and_purpose(purpose: str, owner: str):
    """A row that is copied to another project opens nothing."""
    kid, sealed = seal()
    with pytest.raises(CannotUnseal):
        sealing.unseal(RING, kid, sealed, purpose=purpose, owner=owner)


def test_keys_can_be_rotated():
    """An older key opens what it has sealed while it is there; without it the error names it and nothing else."""
    kid, sealed = seal({"old": RING["old"]})
    assert kid == "old"
    assert sealing.unseal(RING, kid, sealed, purpose="relay", owner="shop").reveal() == TEXT
    with pytest.raises(CannotUnseal, match="the key old is not among SECRET_KEYS") as refusal:
        sealing.unseal({"new": RING["new"]}, kid, sealed, purpose="relay", owner="shop")
    assert refusal.value.__cause__ is None
    with pytest.raises(CannotUnseal, match="another key of that name"):
        sealing.unseal({"old": RING["new"]}, kid, sealed, purpose="relay", owner="shop")
