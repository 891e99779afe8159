"""The links of letters: how long they are, and what they carry."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from service import ids
from service.store.tokens import Kind, Token
from testkit.claims import NOW, claim_of
from worker.mail import compose

PUBLIC_URL = "https://accounts.example.com"
RING = {"k": bytes(range(32))}
NEW, OLD = {"modern": True, "iso": True, "short_links": True}, {"modern": True, "iso": True}
HOSTED = {
    "verification": Kind.VERIFICATION,
    "magic_url": Kind.MAGIC_URL,
    "password_changed": Kind.ACCOUNT_UNDO,
    "new_device": Kind.ACCOUNT_UNDO,
    "email_changed": Kind.EMAIL_UNDO,
}


def link(letter: str, kind: Kind, facts: dict[str, Any], **project: Any) -> str:
    project_id = project.pop("project_id", ids.new())
    token = Token(project_id, ids.new(), kind, ids.new(), None, "ann@example.com", 1, "k", NOW, NOW + timedelta(days=7))
    return compose._link(claim_of(letter, project_id=project_id, facts=facts, **project), token, RING, PUBLIC_URL)


@pytest.mark.parametrize("letter", HOSTED)
@pytest.mark.parametrize("modern", [True, False])
def test_links_to_our_pages_are_short(letter: str, modern: bool) -> None:
    """At most 120 characters with an id of a project as the service makes it, in either era."""
    found = link(letter, HOSTED[letter], NEW | {"modern": modern, "iso": modern})
    assert len(found) <= 120, found
    assert list(dict(parse_qsl(urlsplit(found).query))) == ["project", "secret"]


@pytest.mark.parametrize("letter", HOSTED)
def test_a_link_that_an_old_process_owes_is_one_that_it_opens(letter: str) -> None:
    """Mails of the release before have the form that its processes know, whichever worker sends them."""
    query = dict(parse_qsl(urlsplit(link(letter, HOSTED[letter], OLD)).query))
    assert {"project", "userId", "secret", "expire"} == set(query)
    assert len(query["secret"]) == 256


@pytest.mark.parametrize(
    ("facts", "length"),
    [(NEW, 36), (OLD, 256), (NEW | {"iso": False}, 256), (NEW | {"iso": False, "modern": False}, 256)],
)
def test_links_to_an_apps_page_are_the_contracts(facts: dict[str, Any], length: int) -> None:
    """The parameters in their order; the secret is short from format 1.0 on, and 256 hex characters below."""
    url = {"url": "https://app.example.com/reset"}
    query = dict(parse_qsl(urlsplit(link("recovery", Kind.RECOVERY, facts | url)).query))
    assert list(query) == ["userId", "email", "secret", "expire"]
    assert len(query["secret"]) == length


def test_a_projects_own_page_gets_the_contracts_parameters() -> None:
    """It calls the API by itself, and the API needs `userId`."""
    page = "https://app.example.com/verified"
    found = link("verification", Kind.VERIFICATION, NEW, verification_url=page)
    assert found.startswith(f"{page}?userId=")
    assert list(dict(parse_qsl(urlsplit(found).query))) == ["userId", "secret", "expire"]
