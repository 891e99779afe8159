"""The forms of the example app, as password managers and phones read them."""

import re
from html.parser import HTMLParser

from testkit.processes import ROOT

SITE = ROOT / "devstack" / "example_app" / "site"
# Form, name of the field, what it is to a password manager.
FILLED = [
    ("sign-in", "email", "username"), ("sign-in", "password", "current-password"),
    ("sign-up", "name", "name"), ("sign-up", "email", "username"), ("sign-up", "password", "new-password"),
    ("ask-recovery", "email", "username"), ("ask-recovery", "hosted", ""),
    ("reset", "email", "username"), ("reset", "password", "new-password"),
    ("ask-code", "email", "username"), ("enter-code", "secret", "one-time-code"),
    ("ask-phone-code", "phone", "tel"), ("enter-phone-code", "secret", "one-time-code"),
    ("ask-link", "email", "username"), ("ask-link", "hosted", ""),
    ("answer", "secret", "one-time-code"), ("answer-recovery", "secret", "off"),
    ("confirm-app", "secret", "one-time-code"),
    ("set-phone", "phone", "tel"), ("set-phone", "password", "current-password"),
    ("confirm-phone", "secret", "one-time-code"), ("add-passkey", "name", "off"),
]  # fmt: skip


class Forms(HTMLParser):
    """Collects the fields of each form, and which of them have a label and a place for errors."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: list[tuple[str, dict[str, str]]] = []
        self.labels: set[tuple[str, str]] = set()
        self.alerts: set[str] = set()
        self.forms: set[str] = set()
        self._form = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = given["id"]
            self.forms.add(self._form)
        elif tag == "input":
            self.fields.append((self._form, given))
        elif tag == "label":
            self.labels.add((self._form, given.get("for", "")))
        elif given.get("role") == "alert":
            self.alerts.add(self._form)


FORMS = Forms((SITE / "index.html").read_text())


def test_fields_say_what_they_are():
    """A password manager fills in, makes and stores passwords; a phone offers the code of a message."""
    assert [(form, field["name"], field.get("autocomplete", "")) for form, field in FORMS.fields] == FILLED


def test_fields_have_the_right_keyboard():
    """An address and a code are typed on a phone's keyboard for them, and passwords stay hidden."""
    kinds = {
        field["name"]: (field.get("type", "text"), field.get("inputmode", ""))
        for form, field in FORMS.fields
        if form != "answer-recovery"  # its codes have letters
    }
    assert kinds == {
        "email": ("email", ""), "password": ("password", ""), "name": ("text", ""), "secret": ("text", "numeric"),
        "hosted": ("checkbox", ""), "phone": ("tel", ""),
    }  # fmt: skip


def test_fields_have_labels():
    """Each field has a label of its own that stays in sight while it is filled in."""
    typed = [(form, field["id"]) for form, field in FORMS.fields if field.get("type") != "checkbox"]
    assert not set(typed) - FORMS.labels
    assert not [field for _, field in FORMS.fields if "placeholder" in field]


def test_each_form_has_its_action_and_its_place_for_errors():
    """No button does nothing, and no refusal is silent."""
    scripts = "".join(path.read_text() for path in SITE.glob("*.js"))
    acting = set(re.findall(r'^  (?:async )?"?([\w-]+)"?[(:]', scripts, re.MULTILINE))
    assert not FORMS.forms - acting
    assert FORMS.alerts == FORMS.forms


def test_texts_never_become_markup():
    """Texts of people and of the service stay texts."""
    for path in SITE.glob("*.js"):
        assert not [word for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
                    if word in path.read_text()], path.name  # fmt: skip
