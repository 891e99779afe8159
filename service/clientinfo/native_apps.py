"""User agents of the official SDKs for native apps and servers, which no collection of browsers knows.

An app is `its.id/version` and then what its SDK found out about the device; a server is the SDK's own name.
"""

import re
from dataclasses import dataclass
from functools import partial


@dataclass(frozen=True, slots=True)
class App:
    """An app: `name` is the app's id, or the library's; texts are "" where nothing is known."""

    os_code: str
    os_name: str
    os_version: str
    kind: str
    name: str
    version: str
    device: str
    brand: str = ""
    model: str = ""


_NAME = r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})/v?(?P<version>[0-9][0-9.]{0,31})?[A-Za-z0-9.+-]{0,32}"
_NUMBER = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4})?")
# os-release's ID -> code and name; of what is not here only the kernel is known.
_LINUX = {
    "ubuntu": ("UBT", "Ubuntu"),
    "debian": ("DEB", "Debian"),
    "fedora": ("FED", "Fedora"),
    "centos": ("CES", "CentOS"),
    "rhel": ("RHT", "Red Hat"),
    "gentoo": ("GNT", "Gentoo"),
}
_SYSTEMS = {
    "linux": ("LIN", "GNU/Linux", "desktop"),
    "darwin": ("MAC", "Mac", "desktop"),
    "macos": ("MAC", "Mac", "desktop"),
    "windows": ("WIN", "Windows", "desktop"),
    "freebsd": ("BSD", "FreeBSD", "desktop"),
    "android": ("AND", "Android", "smartphone"),
    "ios": ("IOS", "iOS", "smartphone"),
}
_MACS = {
    "MacBookPro": "MacBook Pro", "MacBookAir": "MacBook Air", "MacBook": "MacBook", "Macmini": "Mac mini",
    "MacPro": "Mac Pro", "iMacPro": "iMac Pro", "iMac": "iMac", "Mac": "Mac",
}  # fmt: skip
_APPLE = {
    "iPhone": ("smartphone", "iPhone"), "iPad": ("tablet", "iPad"), "iPod": ("portable media player", "iPod"),
    "Watch": ("wearable", "Apple Watch"), "AppleTV": ("tv", "Apple TV"),
}  # fmt: skip
_APPLE_SYSTEMS = {"iOS": ("IOS", "smartphone"), "watchOS": ("WAS", "wearable"), "tvOS": ("ATV", "tv")}
# How makers of phones spell themselves where Android has them in small letters.
_MAKERS = {
    "asus": "Asus", "google": "Google", "honor": "Honor", "htc": "HTC", "huawei": "Huawei", "lenovo": "Lenovo",
    "lge": "LG", "motorola": "Motorola", "nokia": "Nokia", "nothing": "Nothing", "oneplus": "OnePlus", "oppo": "OPPO",
    "poco": "POCO", "realme": "Realme", "redmi": "Redmi", "samsung": "Samsung", "sony": "Sony", "tcl": "TCL",
    "vivo": "vivo", "xiaomi": "Xiaomi", "zte": "ZTE",
}  # fmt: skip
# Matomo calls an app so on a desktop too.
_APP = "mobile app"


def parse(text: str) -> App | None:
    """Parse a user agent; None if no official SDK made it."""
    for pattern, read in _FORMS:
        if match := pattern.fullmatch(text):
            return read(match)
    return None


def _short(text: str | None) -> str:
    """Return the first two parts of the first number."""
    match = _NUMBER.search(text or "")
    return match[0] if match else ""


def _mac(match: re.Match[str]) -> App:
    model = _MACS.get(match["model"], "")
    return App("MAC", "Mac", "", _APP, match["name"], _short(match["version"]), "desktop", "Apple", model)


def _apple(match: re.Match[str]) -> App:
    system, version = match["system"], _short(match["system_version"])
    code, device = _APPLE_SYSTEMS[system]
    device, model = _APPLE.get(match["model"], (device, ""))  # a simulator says only its processor
    # Apple gave the tablet's system its own name with version 13.
    if model == "iPad" and int(version.partition(".")[0] or 0) > 12:
        code, system = "IPA", "iPadOS"
    return App(code, system, version, _APP, match["name"], _short(match["version"]), device, "Apple", model)


def _android(match: re.Match[str]) -> App:
    maker, _, model = match["device"].partition(" ")
    brand = _MAKERS.get(maker.lower(), maker)
    system_version = _short(match["system_version"])
    version = _short(match["version"])
    return App("AND", "Android", system_version, _APP, match["name"], version, "smartphone", brand[:64], model[:64])


def _linux(match: re.Match[str]) -> App:
    code, name = _LINUX.get(match["id"].lower(), ("LIN", "GNU/Linux"))
    release = _short(match["release"]) if code != "LIN" else ""
    kind = "library" if match["name"].startswith("Appwrite") else _APP
    return App(code, name, release, kind, match["name"], _short(match["version"]), "desktop")


def _windows(match: re.Match[str]) -> App:
    """Parse an app on Windows; the text behind the system is the computer's name, which identifies its owner."""
    return App("WIN", "Windows", "", _APP, match["name"], _short(match["version"]), "desktop")


def _bare(match: re.Match[str]) -> App:
    """Parse an app that names nothing but its system."""
    code, name, device = _SYSTEMS[match["system"]]
    return App(code, name, "", "", "", "", device, "Apple" if code in ("MAC", "IOS") else "")


def _server(match: re.Match[str]) -> App:
    code, name, _ = _SYSTEMS.get((match["system"] or "").lower(), ("", "", ""))
    device, brand = "desktop" if code else "", "Apple" if code == "MAC" else ""
    return App(code, name, "", "library", match["name"], _short(match["version"]), device, brand)


def _language(match: re.Match[str], name: str) -> App:
    """Parse the SDK that names its machine first: x86_64-linux:ruby-3.2.2."""
    machine = match["machine"].lower()
    code, system, _ = next((found for word, found in _SYSTEMS.items() if word in machine), ("", "", ""))
    device, brand = "desktop" if code else "", "Apple" if code == "MAC" else ""
    return App(code, system, "", "library", name, _short(match["version"]), device, brand)


_SERVER = (
    r"(?P<name>Appwrite[A-Za-z]{1,24}SDK)/v?(?P<version>[0-9][0-9.]{0,31})[A-Za-z0-9.+-]{0,32}"
    r"(?: ?\((?:(?P<system>[A-Za-z]{1,16})[;) ].{0,200}|.{0,200})| null)?"
)
_ON_APPLE = (
    r" (?P<model>[A-Za-z]{3,16}|x86_64|arm64|i386)(?:[0-9]{1,3},[0-9]{1,3})?"
    r" (?P<system>iOS|watchOS|tvOS)/(?P<system_version>[0-9][0-9.]{0,15})"
)
_ON_ANDROID = r" \(Linux; U; Android (?P<system_version>[^;)]{1,16}); (?P<device>[^)]{1,96})\)"
_ON_LINUX = r" \(Linux; U; (?P<id>(?!Android )[A-Za-z][A-Za-z0-9._-]{0,31}) (?P<release>.{0,96})\)"
_FORMS = tuple(
    (re.compile(form), read)
    for form, read in (
        (_NAME + r" \(Macintosh; (?P<model>[A-Za-z]{3,16})[0-9]{1,3},[0-9]{1,3}\)", _mac),
        (_NAME + _ON_APPLE, _apple),
        (_NAME + _ON_ANDROID, _android),
        (_NAME + _ON_LINUX, _linux),
        (_NAME + r" \(Windows NT; .{0,96}\)", _windows),
        (_SERVER, _server),
        (r"(?P<machine>[A-Za-z0-9_.-]{1,48}):ruby-(?P<version>[0-9.]{1,16})", partial(_language, name="Ruby")),
        (r"(?P<machine>[A-Za-z0-9_.-]{1,48}):php-(?P<version>[0-9.]{1,16}).{0,32}", partial(_language, name="PHP")),
        (r"(?P<system>android|ios|macos|windows|linux)", _bare),
    )
)
