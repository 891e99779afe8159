import re
import shutil
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from markupsafe import escape

from worker.mail import templates
from worker.mail.templates import Letter

LINK = "https://app.example.com/reset?a=1&userId=u1&secret=" + "0f" * 128 + "&expire=1592981250"
EXPIRES = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
LANGUAGES = ["en", "de", "fr", "es"]
NOTICES = ["email_changed", "new_device", "password_changed"]
LINKED = [*NOTICES, "magic_url", "recovery", "verification"]
LETTERS = [*LINKED, "otp"]
CODE = "012345"
URL = re.compile(r"https?://|www\.|[a-z0-9-]+\.(?:com|test|org|net)\b|@", re.IGNORECASE)


def render(letter: str = "recovery", /, *, locale: str = "en", **facts: object) -> Letter:
    given: dict[str, object] = {
        "era": "modern", "project": "Example", "link": LINK, "code": CODE, "expires": EXPIRES, "lifetime_seconds": 3600,
        **facts,
    }  # fmt: skip
    return templates.render(letter, locale=locale, **given)


class Reader(HTMLParser):
    """Collects what a mail program would act on."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.language = ""
        self.link_text = ""
        self.inside = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.inside = self.inside or tag == "a"
        for name, value in attrs:
            self.attributes.append((name, value or ""))
            if name in {"href", "src"}:
                self.links.append(value or "")
            if tag == "html" and name == "lang":
                self.language = value or ""

    def handle_endtag(self, tag: str) -> None:
        self.inside = self.inside and tag != "a"

    def handle_data(self, data: str) -> None:
        self.link_text += data if self.inside else ""


@pytest.mark.parametrize(
    ("letter", "era", "subject"),
    [
        ("recovery", "legacy", "Password Reset"),
        ("recovery", "modern", "Password Reset for Example"),
        ("verification", "legacy", "Account Verification"),
        ("verification", "modern", "Account Verification for Example"),
        ("magic_url", "legacy", "Login"),
        ("magic_url", "modern", "Example Login"),
        ("otp", "legacy", "OTP for Example Login"),
        ("otp", "modern", "OTP for Example Login"),
        ("email_changed", "legacy", "E-mail Address Changed"),
        ("email_changed", "modern", "E-mail Address Changed for Example"),
        ("password_changed", "legacy", "Password Changed"),
        ("password_changed", "modern", "Password Changed for Example"),
        ("new_device", "legacy", "New Sign-in"),
        ("new_device", "modern", "New Sign-in to Example"),
    ],
)
def test_subjects_follow_the_era(letter: str, era: str, subject: str) -> None:
    """The English subjects are those of the official service, to the letter."""
    assert render(letter, era=era).subject == subject


@pytest.mark.parametrize("letter", LINKED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_link_stands_alone(letter: str, language: str) -> None:
    """The text part has the link on a line of its own with raw `&`; the HTML part has it as its only link."""
    written = render(letter, locale=language)
    assert written.text.split("\n").count(LINK) == 1
    assert written.text.count("http") == 1
    reader = Reader(written.html)
    assert reader.links == [LINK]
    assert reader.link_text == LINK
    assert "&amp;secret=" in written.html
    assert reader.language == language


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_stands_alone(language: str) -> None:
    """A code has a line of its own, to be copied at a touch, and the letter has no link and no other digits like it."""
    written = render("otp", locale=language)
    assert re.findall(r"\d{6}", written.text) == [CODE]
    assert CODE in written.text.split("\n")
    assert written.html.count(f">{CODE}<") == 1
    assert "http" not in written.text
    assert Reader(written.html).links == []
    assert Reader(written.html).language == language
    assert CODE not in written.subject


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", "12345\n", " 12345"])
def test_only_six_digits(code: str) -> None:
    """A code that isn't six ASCII digits stops the letter."""
    with pytest.raises(ValueError, match="code"):
        render("otp", code=code)


@pytest.mark.parametrize("letter", ["magic_url", "otp"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_is_shown_for_comparison(letter: str, language: str) -> None:
    """Letters that sign in show the app's security phrase where there is one, and say nothing of it where not."""
    written = render(letter, locale=language, phrase="Silent Fox")
    assert ": Silent Fox" in written.text
    assert ": Silent Fox</b>" in written.html
    without = {None: render(letter, locale=language), "": render(letter, locale=language, phrase="")}
    assert without[None] == without[""] == render(letter, locale=language, phrase="one of evil.test")
    assert len(without[""].text.split("\n")) == len(written.text.split("\n")) - 3


@pytest.mark.parametrize("letter", NOTICES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_to_an_unproved_address_holds_no_link(letter: str, language: str) -> None:
    """It tells that, when and from where, and gives nothing that works: the address may be anybody's."""
    known = {"ip": "192.0.2.1", "device": "Firefox 130.0, Linux", "requested_at": EXPIRES}
    facts = {"era": "modern", "project": "Example", **known}
    written = templates.render(letter, locale=language, phrase="Silent Fox", email="new@example.com", **facts)
    assert written == templates.render(letter, locale=language, **facts), "it takes no fact but these"
    for part in (written.text, written.html):
        assert "2026-11-23 18:30 UTC" in part
        assert "192.0.2.1" in part
        assert "Firefox 130.0, Linux" in part
    assert URL.search(written.text) is None
    assert Reader(written.html).links == []
    linked = render(letter, locale=language, **known)
    assert "Silent Fox" not in linked.html
    assert len(linked.text) > len(LINK) + len(written.text) / 2


@pytest.mark.parametrize("letter", LETTERS)
def test_nothing_is_fetched(letter: str) -> None:
    """The HTML part needs nothing from outside and runs nothing: opening it tells nobody."""
    reader = Reader(render(letter).html)
    assert not {"img", "script", "link", "iframe", "form", "object"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name == "src"]
    assert "url(" not in render(letter).html
    assert "@import" not in render(letter).html


@pytest.mark.parametrize("letter", LETTERS)
def test_every_language_says_something_else(letter: str) -> None:
    """Each catalogue is complete: no English sentence is left in another language's letter."""
    known = {"ip": "192.0.2.1", "device": "Firefox", "requested_at": EXPIRES, "phrase": "Silent Fox"}
    english = render(letter, **known)
    sentences = [line for line in english.text.split("\n") if len(line.split()) > 2 and LINK not in line]
    for language in LANGUAGES[1:]:
        text = render(letter, locale=language, **known).text
        assert [sentence for sentence in sentences if sentence in text] == []


def test_catalogues_match_the_templates() -> None:
    """Every .po holds exactly the templates' sentences, all translated, with the same placeholders."""
    options = {"**.html": {"trimmed": "true"}, "**.txt": {"trimmed": "true"}}
    methods = [("**.html", "jinja2.ext.babel_extract"), ("**.txt", "jinja2.ext.babel_extract")]
    found = extract_from_dir(templates.TEMPLATES, methods, options)
    wanted = {entry[2] if isinstance(entry[2], str) else tuple(entry[2]) for entry in found}
    paths = sorted(templates.TEMPLATES.glob("*.po"))
    assert [path.stem for path in paths] == sorted(LANGUAGES[1:])
    for path in paths:
        with path.open("rb") as file:
            catalogue = {message.id: message for message in read_po(file, locale=path.stem) if message.id}
        assert set(catalogue) == wanted
        for source, message in catalogue.items():
            assert not message.fuzzy
            sources = [source] if isinstance(source, str) else list(source)
            forms = [message.string] if isinstance(message.string, str) else list(message.string or ())
            assert all(forms)
            assert placeholders(sources) == placeholders(forms)


def placeholders(sentences: list[str]) -> set[str]:
    return {name for sentence in sentences for name in re.findall(r"%\((\w+)\)s", sentence)}


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"), ("de-AT", "de"), ("de_CH", "de"), ("DE", "de"), ("fr-CA", "fr"), ("ru", "en"), ("",
        "en"), ("../de", "en"),
    ],
)  # fmt: skip
def test_locale_falls_back(locale: str, language: str) -> None:
    """A region reads its language, anything unknown reads English, and no locale names a file."""
    assert Reader(render(locale=locale).html).language == language


@pytest.mark.parametrize(
    ("seconds", "span"),
    [
        (3600, "one hour"), (7200, "2 hours"), (86_400, "one day"), (604_800, "7 days"), (60, "one minute"),
        (5400, "90 minutes"), (900, "15 minutes"), (30, "one minute"),
    ],
)  # fmt: skip
def test_lifetime_in_words(seconds: int, span: str) -> None:
    """A lifetime is told in the largest unit that fits, and with its end, for mails that arrive late."""
    written = render(lifetime_seconds=seconds, expires=EXPIRES.astimezone(timezone(timedelta(hours=9))))
    assert f"within {span} (until 2026-11-23 18:30 UTC)" in written.text
    assert f"within {span} (until 2026-11-23 18:30 UTC)" in written.html


def test_french_plural() -> None:
    """Plurals follow the language's own rule."""
    assert "pendant une heure" in render(locale="fr").text
    assert "pendant 7 jours" in render(locale="fr", lifetime_seconds=604_800).text


@pytest.mark.parametrize("letter", [*NOTICES, "magic_url", "otp", "recovery"])
def test_letters_say_who_asked(letter: str) -> None:
    """They name time, address and device of the request, as far as they are known; a verification has no need."""
    full = render(letter, ip="2001:db8::7", device="Chrome 126.0, Windows 10", requested_at=EXPIRES)
    for part in (full.text, full.html):
        assert "2026-11-23 18:30 UTC" in part
        assert "2001:db8::7" in part
        assert "Chrome 126.0, Windows 10" in part
    assert "This was asked for" not in render(letter).text
    partly = render(letter, ip="192.0.2.1").text
    assert "192.0.2.1" in partly
    assert "Device" not in partly
    assert "192.0.2.1" not in render("verification", ip="192.0.2.1").text


@pytest.mark.parametrize("template", ["{{ 7*7 }}", "{% raw %}", "${7*7}", "#{7*7}", "%(project)s", "<b>&\"'"])
def test_a_project_name_is_only_text(template: str) -> None:
    """Template and HTML syntax in the project's name is shown as it is, in both parts and the subject."""
    written = render(project=template, locale="de")
    assert template in written.subject
    assert template in written.text
    assert "b" not in Reader(written.html).tags
    assert str(escape(template)) in written.html


HOSTILE = [
    f"{before}{bait}{after}"
    for before in ("", "WIN ", "Firefox\n\n", "<b>", "Chrome 1.0 ")
    for bait in (
        "http://evil.test/x", "https://evil.test", "www.evil.com", "evil.com", "//evil.net", "ann@evil.org",
        "<a href=https://evil.test>x</a>", "EVIL.COM", "javascript://evil.test/%0aalert(1)", "evil.test:8080",
    )
    for after in ("", " now", "\r\nBcc: ann@example.org", "\u202e")
]  # fmt: skip


@pytest.mark.parametrize("letter", LETTERS)
def test_no_spam_cannon(letter: str) -> None:
    """Whatever a client sends, the letter holds no host but the link's, and no extra tag."""
    clean = Reader(render(letter).html)
    for hostile in HOSTILE:
        written = render(letter, **dict.fromkeys(("ip", "device", "phrase", "name", "user_name", "email"), hostile))
        for part in (written.subject, written.text.replace(LINK, "")):
            assert URL.search(part) is None, hostile
        assert Reader(written.html).links == ([LINK] if letter in LINKED else []), hostile
        assert Reader(written.html).tags == clean.tags, hostile
        assert "evil" not in written.html.lower(), hostile


@pytest.mark.parametrize(
    "link",
    [
        "", "app.example.com/x", "javascript://app.example.com/%0aalert(1)", "JavaScript://x/",
        "data://x/y", "https://a/b c",
        "https://a/\nb", "https://a/\r\nBcc:x", "https://exämple.org/", "mailto:ann@example.org", "https://",
    ],
)  # fmt: skip
def test_only_a_plain_link(link: str) -> None:
    """A link that isn't printable ASCII with a harmless scheme stops the letter."""
    with pytest.raises(ValueError, match="link"):
        render(link=link)


@pytest.mark.parametrize(
    "link", ['https://a.example/?x="><img>', "myapp-callback://reset?x=1", "http://localhost:3000/#/r"]
)
def test_odd_links_are_escaped(link: str) -> None:
    """Quotes and brackets in a link stay inside its one href; an app's own scheme is a link too."""
    assert Reader(render(link=link).html).links == [link]
    assert f"\n{link}\n" in render(link=link).text


def test_a_missing_fact_is_an_error() -> None:
    """A letter with a hole in it is never sent."""
    with pytest.raises(jinja2.UndefinedError):
        templates.render("recovery", locale="en", link=LINK, era="modern", lifetime_seconds=60, expires=EXPIRES)
    with pytest.raises(jinja2.UndefinedError):
        templates.render("recovery", locale="en", project="x", era="legacy", lifetime_seconds=60, expires=EXPIRES)
    for letter in ("magic_url", "otp"):
        with pytest.raises(jinja2.UndefinedError):
            templates.render(letter, locale="en", project="x", era="legacy", lifetime_seconds=60, expires=EXPIRES)


@pytest.mark.parametrize("name", ["nothing", "base", "pages", "../recovery", "recovery/body.txt", ""])
def test_an_unknown_letter(name: str) -> None:
    """Only the letters on the shelf can be asked for, by name and not by path."""
    with pytest.raises(LookupError):
        render(name)


def test_naive_moments_are_refused() -> None:
    """A moment without a time zone is a bug, not a guess."""
    for moment in (EXPIRES.replace(tzinfo=None), "2026-11-23T18:30:00", "soon, at evil.test"):
        with pytest.raises(ValueError, match=r"aware|isoformat"):
            render(expires=moment)
        with pytest.raises(ValueError, match=r"aware|isoformat"):
            render(requested_at=moment)
    assert "2026-11-23 18:30 UTC" in render(requested_at="2026-11-23T19:30:00+01:00").text


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("recovery/body.html", "{% endblock %}", "{% endblok %}"),
        ("recovery/subject.txt", "{{ project }}", "{{ projekt }}"),
        ("verification/body.txt", "base/body.txt", "base/nothing.txt"),
        ("otp/body.txt", "{{ code }}", "{{ kode }}"),
        ("es.po", "seguridad: %(phrase)s", "seguridad: %(frase)s"),
        ("de.po", "%(amount)s Tagen", "%(menge)s Tagen"),
        ("fr.po", 'msgid "Password Reset"', 'mgsid "Password Reset"'),
    ],
)
def test_a_broken_template_stops_the_start(tmp_path: Path, file: str, old: str, new: str) -> None:
    """Bad syntax, an unknown fact, a missing file or a wrong placeholder is found when the shelf opens."""
    folder = tmp_path / "templates"
    shutil.copytree(templates.TEMPLATES, folder)
    before = (folder / file).read_text()
    assert old in before
    (folder / file).write_text(before.replace(old, new))
    with pytest.raises((ValueError, jinja2.TemplateError)):
        templates.load_templates(folder)


def test_the_parts_say_the_same() -> None:
    """Both parts of a letter hold the same sentences."""
    for name in LETTERS:
        written = render(name, ip="192.0.2.1", device="Firefox", requested_at=EXPIRES)
        html = re.sub(r"\s+", " ", written.html)
        for line in written.text.split("\n"):
            assert line.replace("&", "&amp;") in html
