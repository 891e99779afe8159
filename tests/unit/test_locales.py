"""The language that a reader gets, and the files that a process reads for it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from service import i18n
from service.http.client_info import accepted_languages
from service.i18n import Catalogues
from testkit.claims import claim_of
from testkit.processes import ROOT
from worker.mail import compose


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("zh", "zh-Hans"), ("zh-CN", "zh-Hans"), ("zh-SG", "zh-Hans"), ("zh_cn", "zh-Hans"), ("cmn", "zh-Hans"),
        ("zh-Hans", "zh-Hans"), ("zh-Hans-TW", "zh-Hans"), ("zh-hans-cn", "zh-Hans"),
        ("zh-TW", "zh-Hant"), ("zh-HK", "zh-Hant"), ("zh-MO", "zh-Hant"), ("ZH_TW", "zh-Hant"),
        ("zh-Hant", "zh-Hant"), ("zh-Hant-HK", "zh-Hant"), ("zh_Hant_CN", "zh-Hant"),
        ("pt", "pt"), ("pt-PT", "pt"), ("pt-AO", "pt"), ("pt-BR", "pt-BR"), ("pt_br", "pt-BR"), ("pt-Latn-BR", "pt-BR"),
        ("he", "he"), ("he-IL", "he"), ("iw", "he"), ("iw-IL", "he"), ("id", "id"), ("in", "id"), ("in_ID", "id"),
        ("ar-EG-u-nu-latn", "ar"), ("de-DE-1996", "de"), ("de-AT", "de"), ("DE", "de"), ("fa-AF", "fa"), ("prs", "fa"),
        ("ru-UA", "ru"), ("uk", "uk"), ("ja-JP", "ja"), ("ko-KR", "ko"), ("en-GB", "en"),
    ],
)  # fmt: skip
def test_a_locale_has_its_language(locale: str, language: str):
    """The region's own translation comes first, then the language's in the script that the region writes."""
    assert i18n.match(locale, i18n.languages()) == language
    assert i18n.is_known(locale)


@pytest.mark.parametrize(
    "locale",
    [
        "", "*", "xx", "el", "no", "nb", "nn-NO",  # Norwegian is no Danish
        "hi-Latn", "ru-Latn", "uz-Cyrl",  # nobody reads another script by its name
        "../de", "x-klingon", "-", "_", "d", "1", "дe", "de" * 20, "zh" + "-Hant" * 20, "\0", "de\n",
    ],
)  # fmt: skip
def test_no_language(locale: str):
    """A locale without a translation is passed over: the next in the reader's list counts."""
    assert not i18n.is_known(locale)
    assert i18n.choose(Catalogues(i18n.TEMPLATES), locale, "fr").language == "fr"


def test_the_first_known_locale_counts():
    """Locales are asked in their order; English is the last resort."""
    known = Catalogues(i18n.TEMPLATES)
    assert i18n.choose(known, "", "el", "pt-BR", "de").language == "pt-BR"
    assert i18n.choose(known, "en-US", "de").language == "en"
    assert i18n.choose(known, "el", "").language == i18n.choose(known).language == "en"


@pytest.mark.parametrize(
    ("lines", "accepted"),
    [
        ([], []), (["*"], []), (["de-AT, de;q=0.9,en ; q=0.8"], ["de-AT", "de", "en"]), (["fr", "de"], ["fr", "de"]),
        (["ar-EG-u-nu-latn,en"], ["ar-EG-u-nu-latn", "en"]), (["<b>, ../de, d, de-" + "x" * 40, "it"], ["it"]),
        (["a" * 300 + ",de"], []), (["," * 254 + "it,de"], ["it"]),
    ],
)  # fmt: skip
def test_the_browsers_languages(lines: list[str], accepted: list[str]):
    """They are read in their order, without their weights; what can be no locale is left out, and so is a long rest."""
    request = make_mocked_request("GET", "/", headers=CIMultiDict([("Accept-Language", line) for line in lines]))
    assert accepted_languages(request) == accepted


@pytest.mark.parametrize(
    ("accepted", "prefs", "locale"),
    [
        (None, '{"locale": "fr"}', "de"), ([], '{"locale": "fr"}', "fr"), (["es"], '{"locale": "zh-TW"}', "zh-TW"),
        (["es"], '{"locale": "el"}', "es"), (["el", "es"], "{}", "es"), (["el"], None, "de"), ([], None, "de"),
        (["es"], '{"locale": ["fr"]}', "es"), (["es"], '{"locale"', "es"), (["es"], '["locale"]', "es"),
    ],
)  # fmt: skip
def test_a_letters_locale(accepted: list[str] | None, prefs: str | None, locale: str):
    """The request's own locale comes first, then the user's preferences, the browser and, in the row, the project's."""
    facts = {} if accepted is None else {"accepted": accepted}
    assert compose.locale_of(claim_of("recovery", locale="de", facts=facts, prefs=prefs)) == locale


def test_a_language_is_read_when_it_is_needed():
    """Start and memory don't grow with the number of languages: pages and letters in English read no other."""
    program = (
        "import sys\n"
        "from service.http import html_pages\n"
        "from worker.mail import templates\n"
        "from worker.mail.branding import Branding\n"
        "opened = templates.load_templates()\n"
        "templates.render('otp', locale='en', branding=Branding('x'), **templates.TRIAL)\n"
        "assert 'babel.messages.pofile' not in sys.modules\n"
        "assert [*opened.catalogues._known] == [*html_pages._CATALOGUES._known] == ['en']\n"
        "for _ in range(2):\n"
        "    templates.render('otp', locale='zh-TW', branding=Branding('x'), **templates.TRIAL)\n"
        "assert [*opened.catalogues._known] == ['en', 'zh-Hant']\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("segurança: %(phrase)s", "segurança: %(frase)s"),
        ("segurança: %(phrase)s", "segurança: 100 % de %(phrase)s"),
        ('msgstr[1] "Pelo', 'msgstr[2] "Pelo'),
        ('msgid "Password Reset"', 'mgsid "Password Reset"'),
        ("nplurals=2", "nplurals=1"),
    ],
)
def test_a_broken_translation_is_english(tmp_path: Path, caplog: pytest.LogCaptureFixture, old: str, new: str):
    """No letter waits for a translation that can't be read or filled in: it is English, and the log says so once."""
    shutil.copy(i18n.TEMPLATES / "pt.po", tmp_path)
    before = (tmp_path / "pt.po").read_text()
    assert old in before
    (tmp_path / "pt.po").write_text(before.replace(old, new))
    known = Catalogues(tmp_path)
    with pytest.raises(ValueError, match=r"pt\.po"):
        known["pt"]
    assert [i18n.choose(known, "pt-PT", "en").language for _ in range(3)] == ["en"] * 3
    (told,) = caplog.records
    assert vars(told).items() >= {"event": "translation.broken", "language": "pt"}.items()
