"""Country in which an address is registered, and its name in the reader's language.

The languages are a closed list: babel keeps up to a megabyte for every locale it ever loaded, and the name of
the locale comes from a client's header. The codes are in docs/contract.md#devices-and-countries.
"""

import re
from functools import cache
from ipaddress import IPv6Address

import iptocc
from babel import Locale

UNKNOWN = "--"

# In rows, because ninety lines of two letters would hide the code below.
# fmt: off
_LANGUAGES = frozenset({
    "af", "am", "ar", "as", "az", "be", "bg", "bn", "br", "bs", "ca", "cs", "cy", "da", "de", "el",
    "en", "eo", "es", "et", "eu", "fa", "fi", "fil", "fo", "fr", "ga", "gl", "gu", "he", "hi", "hr",
    "hu", "hy", "id", "is", "it", "ja", "jv", "ka", "kk", "km", "kn", "ko", "ky", "lb", "lo", "lt",
    "lv", "mk", "ml", "mn", "mr", "ms", "mt", "my", "nb", "ne", "nl", "nn", "no", "or", "pa", "pl",
    "ps", "pt", "ro", "ru", "sd", "si", "sk", "sl", "so", "sq", "sr", "sv", "sw", "ta", "te", "th",
    "tk", "tr", "uk", "ur", "uz", "vi", "xh", "yo", "zh", "zu",
})
# fmt: on
# Where script or country change the words so much that the language alone would be wrong.
_VARIANTS = {
    "pt-pt": "pt_PT",
    "sr-latn": "sr_Latn",
    "zh-hant": "zh_Hant",
    "zh-hk": "zh_Hant",
    "zh-mo": "zh_Hant",
    "zh-tw": "zh_Hant",
}
_FORMER = {"in": "id", "iw": "he", "tl": "fil"}
# Language, script and country; 35 characters are what RFC 5646 asks a reader to cope with.
_TAG = re.compile(r"([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?(?:-[a-z0-9]{1,8})*")
_MAX_TAG = 35
# The longest spelling of an IPv6 address.
_MAX_ADDRESS = 45


def code(ip: str) -> str:
    """Return the lower-case alpha-2 code, or "--" for a private, unknown or malformed address."""
    if len(ip) > _MAX_ADDRESS or not ip.isascii():
        return UNKNOWN
    if ":" in ip and "%" not in ip:
        try:
            mapped = IPv6Address(ip).ipv4_mapped
        except ValueError:
            return UNKNOWN
        ip = ip if mapped is None else str(mapped)
    found = iptocc.country_code(ip)
    return UNKNOWN if found is None else found.lower()


def name(code: str, locale: str) -> str:
    """Return the country's name, or the word for an unknown one; locale may be whatever a header holds."""
    names = _names(negotiate(locale))
    return names.get(code.upper(), names["ZZ"])


def negotiate(locale: str) -> str:
    """Return the identifier babel knows for a language tag in any spelling (`pt-br`, `zh_TW`), or "en"."""
    if len(locale) > _MAX_TAG:
        return "en"
    tag = _TAG.fullmatch(locale.lower().replace("_", "-"))
    if tag is None:
        return "en"
    language, script, country = tag.groups()
    if variant := _VARIANTS.get(f"{language}-{script or country}"):
        return variant
    language = _FORMER.get(language, language)
    return language if language in _LANGUAGES else "en"


@cache
def _names(identifier: str) -> dict[str, str]:
    names = dict(Locale.parse(identifier).territories)
    if identifier == "en":
        # The contract's word; babel's would be "Unknown Region".
        names["ZZ"] = "Unknown"
    return names
