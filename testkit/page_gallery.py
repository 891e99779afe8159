"""Every hosted page in each state, rendered as the service renders it, for the gallery and for axe-core."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from multidict import CIMultiDict

from service import i18n
from service.http import html_pages, page_branding
from service.http.page_branding import UNBRANDED, PageBranding
from service.store.branding import Logo
from testkit.images import DARK_LOGO

# Parts of other pages: what they hold is seen there.
PARTS = frozenset(
    {"frame", "new_password", "password_field", "question", "request_form", "request_text", "result", "oauth2_app"},
)
_USUAL = PageBranding("Shop", "https://shop.example/")
_BRANDINGS = {
    "no-app": PageBranding("Shop"),
    "branded": PageBranding(
        "Shop",
        "https://shop.example/",
        page_branding._address(Logo("image/svg+xml", DARK_LOGO.encode())),
        page_branding._style("#ffb300"),
        "help@shop.example",
        "Shop Ltd, 1 High Street, Exampleton",
    ),
}
_RULES = SimpleNamespace(password_personal_data=True, password_blocklist=True, password_history=3)
_FORM: Mapping[str, Any] = {"action": "/auth/page?project=shop", "fields": {"secret": "0f" * 18}}
_PASSWORD = {**_FORM, "username": "ann@example.com", "fault": "", "least": 8, "most": 256, "rules": _RULES}
_REQUEST = {**_FORM, "typed": "", "refused": False}
_AGAIN = {"again": "/auth/request?project=shop"}
_REASONS = (
    "user_invalid_token", "general_argument_invalid", "general_route_not_found", "general_rate_limit_exceeded",
    "user_blocked", "user_session_already_exists", "general_unknown_origin", "general_server_error",
    "general_bad_request",
)  # fmt: skip
# In the place of `appwrite-callback-shop://…`, which the page would leave for at once.
_APP = "#appwrite-callback-shop"
# Facts of each page by its states, the usual one first.
STATES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "approval": {"usual": {**_FORM, "refused": False}, "refused": {**_FORM, "refused": True}},
    "approved": {"usual": {}},
    "code": {
        "usual": {**_FORM, **_AGAIN, "refused": False},
        "refused": {**_FORM, **_AGAIN, "refused": True},
    },
    "disavowal": {"usual": _FORM},
    "disavowed": {
        "usual": {**_PASSWORD, "restored": False},
        "restored": {**_PASSWORD, "restored": True},
        "refused": {**_PASSWORD, "restored": False, "fault": "reused"},
    },
    "disavowed_without_address": {"usual": {}},
    "email_undo": {"usual": _FORM},
    "magic_url": {"usual": _FORM},
    "oauth2_failure": {
        **{reason.replace("_", "-"): {"app": "", "reason": reason}
           for reason in ("user_oauth2_provider_error", "user_already_exists", "general_bad_request",
                          "user_reauthentication_required", "user_blocked", "general_server_error")},
        "app": {"app": _APP, "reason": "user_blocked"},
    },
    "invitation": {"usual": _PASSWORD},
    "oauth2_success": {"usual": {"app": ""}, "app": {"app": _APP}},
    "recovered": {"usual": {}},
    "recovery": {
        "usual": _PASSWORD,
        **{fault: {**_PASSWORD, "fault": fault} for fault in ("common", "personal", "reused", "length")},
        "branded": _PASSWORD,
        "own-rules": {**_PASSWORD, "least": 12, "most": 64},
    },
    "refusal": {
        **{reason.replace("_", "-"): {"reason": reason, "wanted": "", **_REQUEST} for reason in _REASONS},
        "asked-again": {"reason": "user_invalid_token", "wanted": "recovery", **_REQUEST},
    },
    "request": {
        **{wanted.replace("_", "-"): {"wanted": wanted, **_REQUEST}
           for wanted in ("recovery", "verification", "magic_url", "code")},
        "refused": {"wanted": "recovery", **_REQUEST, "typed": "ann@example", "refused": True},
    },
    "requested": {wanted.replace("_", "-"): {"wanted": wanted, **_AGAIN} for wanted in ("recovery", "magic_url")},
    "sign_up": {"usual": _PASSWORD, "refused": {**_PASSWORD, "fault": "common"}},
    "signed_in": {"usual": {}, "no-app": {}},
    "start": {"usual": {}},
    "verification": {"usual": _FORM},
    "verified": {"usual": {}},
    "waiting": {
        "usual": {**_FORM, **_AGAIN, "number": "42", "pending": False},
        "pending": {**_FORM, **_AGAIN, "number": "42", "pending": True},
    },
    "wrong_number": {"usual": {}},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostedPage:
    """One page in one language and state."""

    language: str
    name: str
    state: str
    html: str

    @property
    def path(self) -> str:
        return f"{self.language}/page-{self.name}-{self.state}"


def hosted_pages(*, languages: list[str] | None = None) -> Iterator[HostedPage]:
    """Render all pages in all languages, or those named."""
    for language in languages or sorted(i18n.languages()):
        for name, states in STATES.items():
            for state, facts in states.items():
                answer = html_pages.render_page(_context(name, state, language), name, **facts)
                yield HostedPage(language, name, state, str(answer.text))


def _context(name: str, state: str, language: str) -> Any:
    """Make as much of a request as a page looks at; the start page belongs to no project."""
    branding = UNBRANDED if name == "start" else _BRANDINGS.get(state, _USUAL)
    request = SimpleNamespace(headers=CIMultiDict())
    return SimpleNamespace(
        found_project=None, branding=branding, client=SimpleNamespace(locale=language), request=request
    )
