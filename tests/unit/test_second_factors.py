"""Sessions that must prove a second factor, and proofs that are new enough."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from service.errors import ChallengeRequired, MoreFactorsRequired, ReauthenticationRequired
from service.http import second_factors
from service.store.members import Member
from service.store.projects import Project

_THEN = datetime(2026, 1, 1, tzinfo=UTC)
MEMBER = Member(
    project_id="shop", id="ann", email="ann@example.com", email_version=1, email_verified=True, name="",
    password_hash="$argon2id$", password_updated_at=_THEN, status="active", labels=[], prefs="{}", created_at=_THEN,
    updated_at=_THEN, accessed_at=_THEN, mfa=True, phone=None, phone_version=0,
    phone_verified=False, targets="[]", session_id="s", first_factor="password", assurance=1,
    is_fresh=False, is_recent=False, has_totp=False,
)  # fmt: skip


def project(*allowed: str) -> Project:
    return cast("Project", SimpleNamespace(mfa_factors=list(allowed or ("totp", "email", "phone"))))


@pytest.mark.parametrize(
    ("facts", "gated"),
    [
        ({}, True),
        ({"mfa": False}, False),
        ({"assurance": 2}, False),
        ({"email_verified": False}, False),
        ({"email_verified": False, "has_totp": True}, True),
        # The mailbox opened it: it is no second factor, and the password comes first.
        ({"first_factor": "email"}, True),
        ({"first_factor": "email", "password_hash": None}, False),
        ({"first_factor": "email", "password_hash": None, "has_totp": True}, True),
        # Nobody knows what opened it.
        ({"first_factor": "unknown"}, True),
        ({"first_factor": "unknown", "password_hash": None}, False),
        ({"first_factor": "anonymous", "email": None, "email_verified": False}, False),
    ],
)
def test_which_sessions_are_closed(facts: dict[str, Any], gated: bool):
    """The table of docs/second-factors.md."""
    assert second_factors.is_gated(replace(MEMBER, **facts), project()) is gated


def test_a_factor_that_the_project_does_not_allow_is_none():
    """Neither asked for nor a reason to keep a session closed."""
    member = replace(MEMBER, has_totp=True)
    assert second_factors.usable(member, project()) == {"totp", "email"}
    assert second_factors.usable(member, project("email", "custom")) == {"email", "custom"}
    assert not second_factors.is_gated(member, project("phone"))


@pytest.mark.parametrize(
    ("first", "factor", "assurance"),
    [
        ("password", "email", 2),
        ("email", "totp", 2),
        ("email", "recoveryCode", 2),
        ("email", "email", 1),
        ("unknown", "email", 1),
        ("unknown", "totp", 2),
    ],
)
def test_one_factor_twice_is_one_factor(first: str, factor: str, assurance: int):
    """A challenge that proves once more what opened the session gives it no second factor, and takes none."""
    member = replace(MEMBER, first_factor=first)
    assert second_factors.assurance_by(member, factor) == assurance
    assert second_factors.assurance_by(replace(member, assurance=2), factor) == 2


@pytest.mark.parametrize(
    ("proof", "facts", "refusal"),
    [
        ("fresh", {}, ChallengeRequired),
        ("fresh", {"mfa": False}, ChallengeRequired),
        ("fresh", {"is_fresh": True}, None),
        ("fresh_if_mfa", {}, ChallengeRequired),
        ("fresh_if_mfa", {"mfa": False}, None),
        ("fresh_if_mfa", {"email_verified": False}, None),
        ("fresh_if_mfa", {"is_fresh": True}, None),
        ("recent", {}, MoreFactorsRequired),
        ("recent", {"assurance": 2}, ReauthenticationRequired),
        ("recent", {"mfa": False}, ReauthenticationRequired),
        ("recent", {"mfa": False, "is_recent": True}, None),
        ("recent", {"is_recent": True}, MoreFactorsRequired),
        ("recent", {"is_recent": True, "assurance": 2}, None),
        ("recent", {"is_recent": True, "first_factor": "email", "password_hash": None}, None),
    ],
)
def test_which_proofs_are_new_enough(proof: Any, facts: dict[str, Any], refusal: type[Exception] | None):
    """Fresh: a challenge; recent: that or the sign-in, in a session with its second factor.

    Without a factor to prove none is asked for.
    """
    member = replace(MEMBER, **facts)
    if refusal is None:
        second_factors.require(member, project(), proof)
    else:
        with pytest.raises(refusal):
            second_factors.require(member, project(), proof)
