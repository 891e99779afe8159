import re
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from markupsafe import escape

from service import i18n
from service.accent_colors import choose_accent, contrast
from testkit.processes import ROOT
from worker.mail import dates, stylesheet, templates
from worker.mail.branding import Branding
from worker.mail.templates import Letter

LINK = "https://app.example.com/reset?a=1&userId=u1&secret=" + "0f" * 128 + "&expire=1592981250"
EXPIRES = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
LANGUAGES = i18n.languages()
NOTICES = ["email_changed", "new_device", "password_changed", "security_changed"]
LINKED = [*NOTICES, "invitation", "magic_url", "recovery", "verification"]
CODED = ["otp", "otp_recovery", "otp_verification"]
LETTERS = [*LINKED, *CODED]
CODE = "012345"
ADDRESS, MASKED = "ann@example.com", "a•••@example.com"
UNTIL = "November 23, 2026, 6:30 PM UTC"
URL = re.compile(r"https?://|www\.|[a-z0-9-]+\.(?:com|test|org|net)\b|@", re.IGNORECASE)


def render(letter: str = "recovery", /, *, locale: str = "en", project: str = "Example", **facts: object) -> Letter:
    given: dict[str, object] = {
        "era": "modern", "recipient": ADDRESS, "link": LINK, "code": CODE, "expires": EXPIRES, "lifetime_seconds": 3600,
        **facts,
    }  # fmt: skip
    return templates.render(letter, locale=locale, branding=Branding(project), **given)


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
        ("recovery", "modern", "Reset your Example password"),
        ("verification", "legacy", "Account Verification"),
        ("verification", "modern", "Confirm your e-mail address for Example"),
        ("magic_url", "legacy", "Login"),
        ("magic_url", "modern", "Your sign-in link for Example"),
        ("otp", "legacy", "OTP for Example Login"),
        ("otp", "modern", "Your sign-in code for Example"),
        ("otp_verification", "legacy", "Verification code for Example"),
        ("otp_verification", "modern", "Verification code for Example"),
        ("otp_recovery", "legacy", "Password recovery code for Example"),
        ("otp_recovery", "modern", "Password recovery code for Example"),
        ("mfa_challenge", "legacy", "Verification Code for Example"),
        ("mfa_challenge", "modern", "Verification Code for Example"),
        ("security_changed", "legacy", "Security of your Example account"),
        ("security_changed", "modern", "Security of your Example account"),
        ("email_changed", "legacy", "E-mail Address Changed"),
        ("email_changed", "modern", "The e-mail address of your Example account was changed"),
        ("password_changed", "legacy", "Password Changed"),
        ("password_changed", "modern", "Your Example password was changed"),
        ("new_device", "legacy", "New Sign-in"),
        ("new_device", "modern", "New sign-in to your Example account"),
        ("invitation", "legacy", "You are invited to Example"),
        ("invitation", "modern", "You are invited to Example"),
        ("already_registered", "legacy", "You Already Have an Account"),
        ("already_registered", "modern", "You already have an account at Example"),
        ("account_ends", "modern", "An account with your address at Example ends soon"),
    ],
)
def test_subjects_follow_the_era(letter: str, era: str, subject: str) -> None:
    """The legacy subjects are those of the official service, to the letter; the modern ones say what the mail is."""
    assert render(letter, era=era).subject == subject


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_link_stands_alone(language: str) -> None:
    """The text part has the link on a line of its own with raw `&`; the HTML part has it as button and as text."""
    for letter in LINKED:
        written = render(letter, locale=language)
        assert written.text.split("\n").count(LINK) == 1, letter
        assert written.text.count("http") == 1, letter
        reader = Reader(written.html)
        assert reader.links == [LINK, LINK], letter
        assert reader.link_text.endswith(LINK), letter
        assert "app.example.com<" in written.html.replace("</bdi>", "<"), "where the button leads"
        assert "app.example.com" in written.text.replace(LINK, ""), letter
        assert "&amp;secret=" in written.html, letter
        assert reader.language == language, letter


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_code_stands_alone(language: str) -> None:
    """A code is the first line, to be copied at a touch, and the letter has no link and no other digits like it.

    The HTML part groups it for the eye alone: what is selected and copied has no gap.
    """
    for letter in CODED:
        written = render(letter, locale=language)
        assert re.findall(r"\d{6}", written.text) == [CODE]
        assert written.text.split("\n")[0] == CODE
        shown = re.sub(r"<[^>]+>", "", written.html.partition("</h1>")[2])
        assert re.findall(r"\d{6}", shown) == [CODE]
        assert re.search(r">012</span><span [^>]*padding-left: 12px;[^>]*>345<", written.html)
        assert "http" not in written.text
        assert Reader(written.html).links == []
        assert Reader(written.html).language == language
        assert CODE not in written.subject


@pytest.mark.parametrize("code", ["", "12345", "1234567", "12345a", "１２３４５６", "12345\n", " 12345"])
def test_only_six_digits(code: str) -> None:
    """A code that isn't six ASCII digits stops the letter."""
    with pytest.raises(ValueError, match="code"):
        render("otp", code=code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_code_says_what_it_is_for(language: str) -> None:
    """People read codes out: subject, title and preview of each letter with a code are its own in every language."""
    written = [render(letter, locale=language) for letter in CODED]
    assert len({letter.subject for letter in written}) == len(CODED)
    titles = {letter.html.partition("<title>")[2].partition("</title>")[0] for letter in written}
    previews = {letter.html.partition('class="preheader"')[2].partition("&#847;")[0] for letter in written}
    assert (len(titles), len(previews)) == (len(CODED), len(CODED))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_phrase_is_shown_for_comparison(language: str) -> None:
    """Letters that sign in show the app's security phrase where there is one, and say nothing of it where not."""
    for letter in ("magic_url", *CODED):
        written = render(letter, locale=language, phrase="Silent Fox")
        assert re.search("[:：] ?\u2068?Silent Fox", written.text), "right to left it stands in isolates"
        assert re.search("[:：] ?<bdi>Silent Fox</bdi></b>", written.html), letter
        without = {None: render(letter, locale=language), "": render(letter, locale=language, phrase="")}
        assert without[None] == without[""] == render(letter, locale=language, phrase="one of evil.test"), letter
        assert len(without[""].text.split("\n")) == len(written.text.split("\n")) - 3, letter


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_to_an_unproved_address_holds_no_link(language: str) -> None:
    """It tells that, when and from where, and gives nothing that works: the address may be anybody's."""
    for letter in NOTICES:
        known = {"ip": "192.0.2.1", "device": "Firefox 130.0, Linux", "requested_at": EXPIRES}
        facts = {"era": "modern", "recipient": ADDRESS, "branding": Branding("Example"), **known}
        written = templates.render(letter, locale=language, phrase="Silent Fox", email="new@example.com", **facts)
        assert written == templates.render(letter, locale=language, **facts), "it takes no fact but these"
        for part in (written.text, written.html):
            assert "UTC" in part, letter
            assert "192.0.2.1" in part, letter
            assert "Firefox 130.0, Linux" in part, letter
        assert URL.search(written.text.replace(MASKED, "")) is None, letter
        assert Reader(written.html).links == [], letter
        linked = render(letter, locale=language, **known)
        assert "Silent Fox" not in linked.html, letter
        assert len(linked.text) > len(LINK) + len(written.text) / 2, letter


@pytest.mark.parametrize("language", LANGUAGES)
def test_who_never_proved_an_address_is_warned_without_a_link(language: str) -> None:
    """The letter says when the account ends, greets by the masked address, and gives nothing that proves it."""
    written = render("account_ends", locale=language, requested_at=EXPIRES, ip="192.0.2.1")
    for part in (written.text, written.html):
        assert part.count(MASKED) == part.count("UTC") == 1
        assert LINK not in part
        assert "192.0.2.1" not in part
    assert Reader(written.html).links == []
    assert (written.subject == render("account_ends").subject) == (language == "en")


@pytest.mark.parametrize("letter", LETTERS)
def test_nothing_is_fetched(letter: str) -> None:
    """The HTML part needs nothing from outside and runs nothing: opening it tells nobody."""
    reader = Reader(render(letter).html)
    assert not {"img", "script", "link", "iframe", "form", "object"} & set(reader.tags)
    assert not [name for name, _ in reader.attributes if name.startswith("on") or name == "src"]
    assert "url(" not in render(letter).html
    assert "@import" not in render(letter).html


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_every_language_says_something_else(language: str) -> None:
    """No English sentence is left in another language's letter."""
    known = {"ip": "192.0.2.1", "device": "Firefox", "requested_at": EXPIRES, "phrase": "Silent Fox"}
    for letter in LETTERS:
        english = render(letter, **known).text.split("\n")
        sentences = [line for line in english if len(line.split()) > 2 and LINK not in line]
        text = render(letter, locale=language, **known).text
        assert [sentence for sentence in sentences if sentence in text] == [], letter


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"), ("de-AT", "de"), ("de_CH", "de"), ("DE", "de"), ("fr-CA", "fr"), ("zh-HK", "zh-Hant"),
        ("el", "en"), ("", "en"), ("../de", "en"),
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
    assert f"within {span} (until {UNTIL})" in written.text
    assert f"within {span} (until {UNTIL})" in written.html


def test_french_plural() -> None:
    """Plurals follow the language's own rule."""
    assert "pendant une heure" in render(locale="fr").text
    assert "pendant 7 jours" in render(locale="fr", lifetime_seconds=604_800).text


@pytest.mark.parametrize("letter", [*LETTERS, "already_registered"])
def test_letters_say_who_asked(letter: str) -> None:
    """They name time, address and device of the request or the change, as far as they are known."""
    full = render(letter, ip="2001:db8::7", device="Chrome 126.0, Windows 10", requested_at=EXPIRES)
    for part in (full.text, full.html):
        assert UNTIL in part
        assert "2001:db8::7" in part
        assert "Chrome 126.0, Windows 10" in part
    heading = "was changed\n" if letter.endswith("changed") else "New sign-in to your account\n"
    heading = "Security of your account\n" if letter == "security_changed" else heading
    heading = heading if letter in NOTICES else "This request came from:\n"
    assert heading in full.text
    assert heading not in render(letter).text
    partly = render(letter, ip="192.0.2.1").text
    assert "192.0.2.1" in partly
    assert "Device" not in partly


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
            assert URL.search(part.replace(MASKED, "").replace("Opens app.example.com", "")) is None, hostile
        assert Reader(written.html).links == ([LINK, LINK] if letter in LINKED else []), hostile
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
    assert Reader(render(link=link).html).links == [link, link]
    assert f"\n{link}\n" in render(link=link).text


def test_a_missing_fact_is_an_error() -> None:
    """A letter with a hole in it is never sent."""
    brand, facts = Branding("x"), {"era": "legacy", "lifetime_seconds": 60, "expires": EXPIRES}
    for letter in ("recovery", "magic_url", "otp"):
        with pytest.raises(jinja2.UndefinedError):
            templates.render(letter, locale="en", branding=brand, recipient=ADDRESS, **facts)
    with pytest.raises(jinja2.UndefinedError):
        templates.render("recovery", locale="en", branding=brand, recipient=ADDRESS, era="legacy", link=LINK)
    with pytest.raises(KeyError):
        templates.render("recovery", locale="en", branding=brand, link=LINK, **facts)


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
    assert f"Time: {UNTIL}" in render(requested_at="2026-11-23T19:30:00+01:00").text


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("base/body.html", "{{ link }}", "{{ lnik }}"),
        ("recovery/body.html", "{% endblock %}", "{% endblok %}"),
        ("recovery/subject.txt", "{{ project }}", "{{ projekt }}"),
        ("verification/body.txt", "base/body.txt", "base/nothing.txt"),
        ("otp/body.txt", "{{ code }}", "{{ kode }}"),
    ],
)
def test_a_broken_template_stops_the_start(tmp_path: Path, file: str, old: str, new: str) -> None:
    """Bad syntax, an unknown fact or a missing file is found when the shelf opens."""
    folder = tmp_path / "templates"
    shutil.copytree(templates.TEMPLATES, folder)
    before = (folder / file).read_text()
    assert old in before
    (folder / file).write_text(before.replace(old, new))
    with pytest.raises((ValueError, jinja2.TemplateError)):
        templates.load_templates(folder)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_notice_of_a_new_password_counts_passkeys(language: str) -> None:
    """They still open the account. Where there are none, none are mentioned."""
    said = (
        templates.load_templates()
        .catalogues[language]
        .one("Passkeys that can still sign in to the account: %(passkeys)s.")
    )
    for passkeys, shown in ((3, True), (None, False)):
        written = render("password_changed", locale=language, passkeys=passkeys)
        for part in (written.text, written.html):
            assert (said.partition("%(passkeys)s")[0] in part) is shown
    assert "Passkeys that can still sign in to the account: 3." in render("password_changed", passkeys=3).text


def test_the_parts_say_the_same() -> None:
    """Both parts of a letter hold the same sentences."""
    for name in LETTERS:
        written = render(name, ip="192.0.2.1", device="Firefox", requested_at=EXPIRES)
        html = re.sub(r"\s+", " ", re.sub(r"</?(?:bdi|span)[^>]*>", "", written.html))
        for line in written.text.split("\n"):
            assert line.replace("&", "&amp;") in html


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_reader_is_greeted_with_the_masked_address(language: str) -> None:
    """A reader with several accounts in one mailbox sees which is meant; the whole address stands in no body."""
    for letter in (*LETTERS, "already_registered"):
        written = render(letter, locale=language)
        assert MASKED in written.text, letter
        assert f"<bdi>{MASKED}</bdi>" in written.html, letter
        assert ADDRESS not in written.text + written.html, letter


@pytest.mark.parametrize(
    ("language", "zone", "until"),
    [
        ("en", "Europe/Berlin", "November 23, 2026, 7:30 PM Central European Standard Time"),
        ("de", "Europe/Berlin", "23. November 2026, 19:30 Mitteleuropäische Normalzeit"),
        ("fr", "Asia/Tokyo", "24 novembre 2026, 03:30 heure normale du Japon"),
        ("es", None, "23 de noviembre de 2026, 18:30 UTC"),
        ("de", "UTC", "23. November 2026, 18:30 UTC"),
    ],
)
def test_times_are_the_readers(language: str, zone: str | None, until: str) -> None:
    """Times are told in the reader's language and zone, and the zone is named."""
    written = render(locale=language, zone=zone, requested_at=EXPIRES)
    assert f" {until})" in written.text
    assert f": {until}\n" in written.text
    assert written.html.count(until) == 2


@pytest.mark.parametrize(
    ("prefs", "zone"),
    [
        ('{"timezone": "Asia/Kolkata"}', "Asia/Kolkata"), ('{"timezone": "UTC"}', "UTC"), ("{}", "UTC"), (None, "UTC"),
        ('{"timezone": "../../etc/passwd"}', "UTC"), ('{"timezone": "Visit evil.test"}', "UTC"), ("", "UTC"),
        ('{"timezone": {"timezone": "Asia/Tokyo"}}', "UTC"), ('{"a": {"timezone": "Asia/Tokyo"}}', "UTC"),
        ('{"timezone": null}', "UTC"), ("[1]", "UTC"), ('{"timezone', "UTC"), ('{"timezone": "europe/berlin"}', "UTC"),
    ],
)  # fmt: skip
def test_only_a_real_zone_is_taken(prefs: str | None, zone: str) -> None:
    """A user's preferences are any text: a name that IANA has counts, all else is UTC and stops no letter."""
    assert dates.zone_of(prefs) == zone


@pytest.mark.parametrize(
    ("link", "opens"),
    [
        ("https://shop.example/reset", "Opens shop.example"), ("http://localhost:3000/r", "Opens localhost:3000"),
        ("shop-app://reset?x=1", "Opens the app"),
    ],
)  # fmt: skip
def test_a_button_says_where_it_leads(link: str, opens: str) -> None:
    """Below the button stands its link's host, or that it opens an app."""
    assert f"\n{opens}\n" in render(link=link).text
    assert opens in re.sub(r"</?bdi>", "", render(link=link).html)


def test_a_code_is_bound_to_its_host() -> None:
    """The last line lets a browser offer the code on that host alone; without a host there is none."""
    assert render("otp", code_host="shop.example").text.endswith(f"\n\n@shop.example #{CODE}\n")
    for none in (None, "", "localhost", "*.shop.example", "shop.example #1"):
        assert render("otp", code_host=none).text.endswith("\nExample\n")


def test_a_project_brands_its_letters() -> None:
    """Colour, support address, footer and logo of the project stand in its letters, and nothing of them without."""
    brand = Branding("A & B", "#ffcc00", "help@shop.example", "A & B Ltd", "logo")
    facts = {"era": "modern", "recipient": ADDRESS, "link": LINK, "expires": EXPIRES, "lifetime_seconds": 60}
    written = templates.render("recovery", locale="en", branding=brand, **facts)
    assert 'src="cid:logo" alt="A &amp; B"' in written.html
    assert written.html.count("#ffcc00") == 3, "the button twice, and its edge in the dark"
    assert "<p" in written.html.partition("A &amp; B Ltd")[0]
    assert Reader(written.html).links == ["cid:logo", LINK, LINK, "mailto:help@shop.example"]
    assert written.text.endswith("\nA & B\n\nA & B Ltd\n\nQuestions? Write to help@shop.example.\n")
    assert "Questions" not in render().html


@pytest.mark.parametrize("color", ["#000000", "#ffffff", "#ffcc00", "#0b57d0", "#777777", "#1f2228", "#00ff00"])
def test_a_button_can_be_read_in_any_colour(color: str) -> None:
    """The label has a contrast of 4.5 to its button, and the button's edge one of 3 to the card, light and dark."""
    accent = choose_accent(color)
    assert contrast(accent.ink, accent.fill) >= 4.5
    assert contrast(accent.edge, "#ffffff") >= 3
    assert contrast(accent.dark_edge, "#1f2228") >= 3


@pytest.mark.parametrize("color", ["", "red", "#fff", "#12345g", "#123456;background:url(x)"])
def test_a_colour_is_a_colour(color: str) -> None:
    """Nothing but #rrggbb gets into a style."""
    with pytest.raises(ValueError, match="accent"):
        Branding("Example", color)


def test_right_to_left(tmp_path: Path) -> None:
    """A language that runs from right to left has its direction, and names in it stand apart."""
    folder = tmp_path / "templates"
    shutil.copytree(templates.TEMPLATES, folder)
    (folder / "he.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        'msgid "Hello %(account)s,"\nmsgstr "שלום %(account)s,"\n'
    )
    facts = {"era": "modern", "recipient": ADDRESS, "code": CODE, "expires": EXPIRES, "lifetime_seconds": 60}
    opened = templates.load_templates(folder)
    written = templates.render_letter(opened, "otp", locale="he", branding=Branding("Example"), facts=facts)
    assert written.html.count('dir="rtl"') == 2
    assert 'align="left"' not in written.html
    assert f"שלום \u2068{MASKED}\u2069," in written.text
    assert f"שלום <bdi>{MASKED}</bdi>," in written.html
    assert "\u2068" not in written.subject
    assert 'dir="rtl"' not in render("otp").html


def test_styles_are_inlined_at_the_start_alone(tmp_path: Path) -> None:
    """A letter is made of what was inlined when the templates were loaded: without css-inline, even without Jinja."""
    script = tmp_path / "letter.py"
    script.write_text(
        "import sys\n"
        "from worker.mail import compose, stylesheet, templates\n"
        "from worker.mail.branding import Branding\n"
        "opened = templates.load_templates()\n"
        "def write(number):\n"
        "    facts = dict(templates.TRIAL, ip=f'192.0.2.{number}', code=f'{number:06}')\n"
        "    return [templates.render(name, locale='de', branding=Branding('x'), **facts) for name in opened.letters]\n"
        "write(1)\n"
        "ran = set()\n"
        "sys.setprofile(lambda frame, event, called: ran.add(getattr(called, '__module__', '') if event == 'c_call'"
        " else frame.f_code.co_filename))\n"
        "written = write(2)\n"
        "sys.setprofile(None)\n"
        "assert all('padding: 32px' in letter.html for letter in written)\n"
        "print([name for name in ran for part in ('jinja', 'css_inline', 'stylesheet') if part in str(name)])\n"
    )
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_inlining_leaves_jinja_alone() -> None:
    """Jinja's tags are hidden from css-inline and come back as they were, wherever they stand."""
    loader = stylesheet.InliningLoader(templates.TEMPLATES)
    source = (
        '{% block a %}<p class="line">{% trans %}It\'s {{ x }}{% endtrans %}</p>{% endblock %}\n{# note #}\n'
        '<a href="{{ link }}">{{ link }}</a>{% if a < b and c %}\n'
        "<table><tr>{% for x in y %}<td>1</td>{% endfor %}</tr></table>{% endif %}"
    )
    inlined = loader.inline(source)
    assert re.sub(r' style="[^"]*"|</?tbody>', "", inlined) == source
    assert inlined.count("style=") == 1
