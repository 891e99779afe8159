"""Countries of addresses, and their names in the reader's language."""

import re

import pytest
from babel import Locale
from hypothesis import example, given
from hypothesis import strategies as st

from service.clientinfo import countries


@pytest.mark.parametrize(
    ("expected", "ip"),
    [
        ("us", "8.8.8.8"),
        ("us", "2001:4860:4860::8888"),
        ("us", "::ffff:8.8.8.8"),
        ("us", "::FFFF:808:808"),
        ("us", "0000:0000:0000:0000:0000:ffff:8.8.8.8"),
        ("ru", "5.255.255.5"),
        ("--", "127.0.0.1"),
        ("--", "::1"),
        ("--", "::ffff:127.0.0.1"),
        ("--", "10.1.2.3"),
        ("--", "172.16.0.1"),
        ("--", "192.168.1.1"),
        ("--", "100.64.0.1"),
        ("--", "169.254.0.1"),
        ("--", "fe80::1%eth0"),
        ("--", "fd00::1"),
        ("--", "0.0.0.0"),
        ("--", "255.255.255.255"),
        ("--", "224.0.0.1"),
        ("--", "203.0.113.5"),
        ("--", "2001:db8::1"),
        ("--", ""),
        ("--", "x"),
        ("--", ":"),
        ("--", "8.8.8"),
        ("--", "8.8.8.8 "),
        ("--", "08.8.8.8"),
        ("--", "8.8.8.8, 9.9.9.9"),
        ("--", "8.8.8.8:80"),
        ("--", "[::ffff:8.8.8.8]"),
        ("--", "\ud800"),
        ("--", "٨.8.8.8"),
        ("--", "8" * 1_000_000),
    ],
)
def test_code(expected: str, ip: str) -> None:
    """An address has the code of its country, in small letters, or two dashes if it has none."""
    assert countries.code(ip) == expected


@given(st.text(max_size=50) | st.ip_addresses().map(str))
def test_every_code_has_a_name(ip: str) -> None:
    """No address breaks the look-up, and no code found lacks an English name."""
    code = countries.code(ip)
    assert code == "--" or (len(code) == 2 and code.islower() and countries.name(code, "en") != "Unknown")


@pytest.mark.parametrize(
    ("expected", "code", "locale"),
    [
        ("Germany", "de", "en"),
        ("Germany", "DE", "en"),
        ("Deutschland", "de", "de"),
        ("Deutschland", "de", "de-AT"),
        ("Германия", "de", "ru"),
        ("Alemanha", "de", "pt-br"),
        ("德国", "de", "zh-cn"),
        ("德國", "de", "zh_TW"),
        ("Germany", "de", "xx"),
        ("Germany", "de", ""),
        ("Kosovo", "xk", "en"),
        ("Unknown", "--", "en"),
        ("Unknown", "--", "xx"),
        ("Unknown", "", "en"),
        ("Unknown", "qq", "en"),
        ("Unknown", "de\x00", "en"),
        ("Unbekannte Region", "--", "de"),
        ("неизвестный регион", "--", "ru"),
    ],
)
def test_name(expected: str, code: str, locale: str) -> None:
    """A country is named in the reader's language, else in English, and an unknown one by the word for it."""
    assert countries.name(code, locale) == expected


@pytest.mark.parametrize(
    ("expected", "locale"),
    [
        ("en", "en"),
        ("de", "de"),
        ("de", "DE"),
        ("de", "de_DE"),
        ("de", "de-ch-1996"),
        ("pt", "pt-br"),
        ("pt", "pt"),
        ("pt_PT", "pt-PT"),
        ("zh", "zh-cn"),
        ("zh", "zh-Hans-HK"),
        ("zh_Hant", "zh-tw"),
        ("zh_Hant", "zh-HK"),
        ("zh_Hant", "zh_hant"),
        ("zh_Hant", "zh-Hant-MO"),
        ("sr", "sr-RS"),
        ("sr", "sr-Cyrl-RS"),
        ("sr_Latn", "sr-Latn-RS"),
        ("es", "es-419"),
        ("he", "iw"),
        ("id", "in"),
        ("fil", "tl-PH"),
        ("en", "xx"),
        ("en", "la"),
        ("en", "root"),
        ("en", "und"),
        ("en", ""),
        ("en", "d"),
        ("en", "deutsch"),
        ("en", "*"),
        ("en", "de;q=0.9"),
        ("en", "fr, de"),
        ("en", " de"),
        ("en", "de\n"),
        ("en", "de-"),
        ("en", "de--DE"),
        ("en", "../../etc/passwd"),
        ("en", "de/../../root"),
        ("en", "de\x00"),
        ("en", "ＤＥ"),
        ("en", "K" + "a" * 20),
        ("en", "de" + "-a" * 17),
        ("en", "de" * 1_000_000),
    ],
)
def test_negotiate(expected: str, locale: str) -> None:
    """A stranger's language tag becomes one of our locales, or English; it is never repaired."""
    assert countries.negotiate(locale) == expected


# Every locale that can come out: a language of the list, or one of the variants.
_REACHABLE = sorted(
    {countries.negotiate(first + second) for first in map(chr, range(97, 123)) for second in map(chr, range(97, 123))}
    | {"fil", "pt_PT", "sr_Latn", "zh_Hant"}
)


def test_locales_are_complete() -> None:
    """Every locale we answer with is known to babel, stays itself if asked again and names all countries."""
    wanted = {code for code in Locale.parse("en").territories if re.fullmatch("[A-Z]{2}", str(code))}
    for locale in _REACHABLE:
        assert str(Locale.parse(locale)) == locale
        assert countries.negotiate(locale) == locale
        # These are no countries but CLDR's own inventions, and an island nobody lives on.
        assert wanted - set(Locale.parse(locale).territories) <= {"CQ", "EZ", "QO", "UN", "XA", "XB"}, locale


@given(st.text(max_size=40) | st.from_regex(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{1,8}){0,4}", fullmatch=True))
@example("zh")
def test_negotiate_is_closed(locale: str) -> None:
    """No header leads to a locale outside the list, so memory has a limit."""
    assert countries.negotiate(locale) in _REACHABLE
