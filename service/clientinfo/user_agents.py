"""System, program and device by a User-Agent, in the codes of Matomo that clients know.

ua-parser recognises the families; the tables here, half of this file, translate them
(docs/contract.md#devices-and-countries). A list of everything that exists isn't meant: an unknown browser keeps its
name and gets no code.
"""

import re
from dataclasses import dataclass
from functools import cache, lru_cache

import ua_parser
from ua_parser import Domain

from service.clientinfo import native_apps
from service.clientinfo.user_agent_rules import LazyRules

MAX_LENGTH = 512
REMEMBERED = 2048

# ua-parser's family -> code and name of the system.
_SYSTEMS = {
    "Windows": ("WIN", "Windows"),
    "Windows Phone": ("WPH", "Windows Phone"),
    "Mac OS X": ("MAC", "Mac"),
    "Mac OS": ("MAC", "Mac"),
    "Linux": ("LIN", "GNU/Linux"),
    "Ubuntu": ("UBT", "Ubuntu"),
    "Debian": ("DEB", "Debian"),
    "Fedora": ("FED", "Fedora"),
    "Red Hat": ("RHT", "Red Hat"),
    "CentOS": ("CES", "CentOS"),
    "Gentoo": ("GNT", "Gentoo"),
    "FreeBSD": ("BSD", "FreeBSD"),
    "OpenBSD": ("OBS", "OpenBSD"),
    "NetBSD": ("NBS", "NetBSD"),
    "Chrome OS": ("COS", "Chrome OS"),
    "Android": ("AND", "Android"),
    "iOS": ("IOS", "iOS"),
    "tvOS": ("ATV", "tvOS"),
    "ATV OS X": ("ATV", "tvOS"),
    "WatchOS": ("WAS", "watchOS"),
    "KaiOS": ("KOS", "KaiOS"),
    "Tizen": ("TIZ", "Tizen"),
    "webOS": ("WOS", "webOS"),
    "Web0S": ("WOS", "webOS"),
}
# Systems that ua-parser takes for another one, by a word of theirs.
_DISGUISED = (
    ("Xbox", "XBX", "Xbox"),
    ("PlayStation", "PS3", "PlayStation"),
    ("PLAYSTATION", "PS3", "PlayStation"),
    ("Nintendo", "WII", "Nintendo"),
    ("HarmonyOS", "HAR", "HarmonyOS"),
)
_DESKTOPS = {"WIN", "MAC", "LIN", "UBT", "DEB", "FED", "RHT", "CES", "GNT", "BSD", "OBS", "NBS", "COS"}
_APPLE = {"MAC", "IOS", "IPA", "ATV", "WAS"}
_KINDS = {
    **dict.fromkeys(_DESKTOPS, "desktop"),
    **dict.fromkeys(("XBX", "PS3", "WII"), "console"),
    **dict.fromkeys(("ATV", "WOS"), "tv"),
    **dict.fromkeys(("IOS", "WPH", "TIZ"), "smartphone"),
    "IPA": "tablet",
    "KOS": "feature phone",
    "WAS": "wearable",
}

# ua-parser's family -> code and name of the browser.
_BROWSERS = {
    "Chrome": ("CH", "Chrome"),
    "Chrome Mobile": ("CM", "Chrome Mobile"),
    "Chrome Mobile iOS": ("CI", "Chrome Mobile iOS"),
    "Chrome Mobile WebView": ("CV", "Chrome Webview"),
    "HeadlessChrome": ("HC", "Headless Chrome"),
    "Chromium": ("CR", "Chromium"),
    "Edge": ("PS", "Microsoft Edge"),
    "Edge Mobile": ("PS", "Microsoft Edge"),
    "IE": ("IE", "Internet Explorer"),
    "IE Mobile": ("IM", "IE Mobile"),
    "Firefox": ("FF", "Firefox"),
    "Firefox Mobile": ("FM", "Firefox Mobile"),
    "Firefox iOS": ("F1", "Firefox Mobile iOS"),
    "Firefox Focus": ("FK", "Firefox Focus"),
    "Iceweasel": ("IW", "Iceweasel"),
    "Pale Moon": ("PM", "Pale Moon"),
    "Safari": ("SF", "Safari"),
    "Mobile Safari": ("MF", "Mobile Safari"),
    "Mobile Safari UI/WKWebView": ("MF", "Mobile Safari"),
    "Android": ("AN", "Android Browser"),
    "Samsung Internet": ("SB", "Samsung Browser"),
    "Huawei Browser": ("HU", "Huawei Browser"),
    "MiuiBrowser": ("MU", "MIUI Browser"),
    "UC Browser": ("UC", "UC Browser"),
    "QQ Browser": ("QQ", "QQ Browser"),
    "Amazon Silk": ("MS", "Mobile Silk"),
    "Opera": ("OP", "Opera"),
    "Opera Mobile": ("OM", "Opera Mobile"),
    "Opera Mini": ("OI", "Opera Mini"),
    "Opera Touch": ("OO", "Opera Touch"),
    "Opera GX": ("OX", "Opera GX"),
    "Brave": ("BR", "Brave"),
    "Vivaldi": ("VI", "Vivaldi"),
    "Yandex Browser": ("YA", "Yandex Browser"),
    "Whale": ("WH", "Whale Browser"),
    "DuckDuckGo": ("DD", "DuckDuckGo Privacy Browser"),
    "DuckDuckGo Mobile": ("DD", "DuckDuckGo Privacy Browser"),
    "Epiphany": ("EP", "GNOME Web"),
    "Konqueror": ("KO", "Konqueror"),
}
# Families that are something else than a browser although they may look like one.
_OTHERS = {
    **dict.fromkeys(("Facebook", "Facebook Messenger", "Instagram", "Twitter", "TikTok", "LINE"), "mobile app"),
    **dict.fromkeys(("WeChat Browser", "Telegram", "Snapchat", "Pinterest"), "mobile app"),
    **dict.fromkeys(("VLC", "WMPlayer", "iTunes", "Spotify"), "mediaplayer"),
    **dict.fromkeys(("Thunderbird", "Outlook", "Apple Mail", "Windows Live Mail", "Lotus Notes"), "pim"),
    **dict.fromkeys(("Feedly", "FeedFetcher-Google", "Tiny Tiny RSS"), "feed reader"),
}
# Names of programs in their user agents, in small letters, and their common names.
_LIBRARIES = {
    "python-requests": "Python Requests",
    "python requests": "Python Requests",
    "python-urllib": "Python urllib",
    "aiohttp": "aiohttp",
    "python aiohttp": "aiohttp",
    "python-httpx": "HTTPX",
    "axios": "Axios",
    "node-fetch": "Node Fetch",
    "undici": "Node Fetch",
    "node": "Node Fetch",
    "go-http-client": "Go-http-client",
    "guzzlehttp": "Guzzle (PHP HTTP Client)",
    "faraday": "Faraday",
    "dart": "Dart",
}

_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_PRODUCT = re.compile(r"([A-Za-z][A-Za-z0-9._+\-]{0,63})(?:[/ ]v?([0-9][0-9.]{0,31}))?(?=[ /;,(]|\Z)")
# Prefixes of Fire TV's models; ua-parser takes them for books.
_FIRE_TV = "; AFT"
_TELEVISION = re.compile(r"SMART-TV|SmartTV|Smart-TV|BRAVIA|Android TV|GoogleTV|AppleTV|HbbTV|CrKey|; AFT")
_ENGINES = (
    ("Trident", re.compile(r"Trident/([0-9]{1,4}(?:\.[0-9]{1,4})?)")),
    ("Trident", re.compile(r"MSIE ()")),
    ("EdgeHTML", re.compile(r"Edge/([0-9]{1,4}(?:\.[0-9]{1,6})?)")),
    ("Presto", re.compile(r"Presto/([0-9]{1,4}(?:\.[0-9]{1,4})?)")),
    # The engine's own version is no longer sent, the one in AppleWebKit/537.36 is fixed.
    ("Blink", re.compile(r"(?:Chrome|Chromium)/(?:2[89]|[3-9][0-9]|[0-9]{3})\b()")),
    ("WebKit", re.compile(r"AppleWebKit/([0-9]{1,4}(?:\.[0-9]{1,4})?)")),
    ("Gecko", re.compile(r"rv:([0-9]{1,4}(?:\.[0-9]{1,4})?)[^)]*\) Gecko/")),
)

_FROZEN, _FIRST_FROZEN = re.compile(r"OS 18_[67]\b"), 26
_SAFARI = re.compile(r"Version/([0-9]{1,3})\.([0-9]{1,3})")
_WINDOW = re.compile(r"Mobile/15E148\Z")
_ROBOT = re.compile(r"bot|crawl|spider|slurp|fetch|preview|monitor|[+]http", re.IGNORECASE)


def parse(user_agent: str) -> "Device":
    """Read the first 512 characters; a field is "" where they tell nothing, all are for "" and UNKNOWN."""
    return _parse(_UNPRINTABLE.sub("?", user_agent[:MAX_LENGTH]).strip())


@cache
def load_rules() -> tuple[LazyRules, LazyRules, LazyRules]:
    """Load the rules for clients, systems and devices; at start, and not within the first request that needs them."""
    clients, systems, devices = ua_parser.load_lazy_builtins()
    return LazyRules(Domain.USER_AGENT, clients), LazyRules(Domain.OS, systems), LazyRules(Domain.DEVICE, devices)


def _make(text: str, os_code: str) -> ua_parser.Device | None:
    """Find the make. A desktop has none, a program none either; a robot may pretend to be anything."""
    has_device = os_code not in _DESKTOPS if os_code else text.startswith("Mozilla/")
    found = load_rules()[2].find(text) if has_device or _ROBOT.search(text) else None
    return found.device if found else None


@lru_cache(REMEMBERED)
def _parse(text: str) -> "Device":
    if text in {"", "UNKNOWN"}:
        return Device()
    if app := native_apps.parse(text):
        client = (app.kind, "", app.name, app.version)
        return Device(app.os_code, app.os_name, app.os_version, *client, "", "", app.device, app.brand, app.model)
    clients, systems, _ = load_rules()
    found, os = clients.find(text), systems.find(text)
    system = _system(text, os.os if os else None)
    make = _make(text, system[0])
    spider = make is not None and make.family == "Spider"
    client = _client(text, found.user_agent if found else None, spider=spider, os_code=system[0])
    engine = _engine(text, system[0]) if client[0] == "browser" else ("", "")
    if spider:
        return Device(*system, *client, *engine)
    kind = _kind(text, system[0], browser=client[0] == "browser")
    return Device(*system, *client, *engine, kind, *_hardware(text, system[0], make))


def _system(text: str, found: ua_parser.OS | None) -> tuple[str, str, str]:
    for word, code, name in _DISGUISED:
        if word in text:
            return code, name, ""
    if found is None:
        return "", "", ""
    code, name = _SYSTEMS.get(found.family, ("", found.family[:64]))
    # Apple gave the tablet's system its own name with version 13.
    if code == "IOS" and "iPad" in text and found.major is not None and len(found.major) > 1 and found.major > "12":
        code, name = "IPA", "iPadOS"
    version = _version(found.major, found.minor)
    return code, name, _thawed(text, version) if code in {"IOS", "IPA"} and _FROZEN.search(text) else version


def _thawed(text: str, version: str) -> str:
    """Correct Apple's system version: since 26 its browsers send 18.6 or 18.7, whatever it is; Safari's is true.

    Where nothing tells Safari's version, as in a window of an app, it may be either: so nothing is said.
    """
    if safari := _SAFARI.search(text):
        return _version(*safari.groups()) if int(safari[1]) >= _FIRST_FROZEN else version
    return "" if _WINDOW.search(text) else version


def _client(text: str, found: ua_parser.UserAgent | None, *, spider: bool, os_code: str) -> tuple[str, str, str, str]:
    """Return type, code, name and version."""
    family, version = ("", "") if found is None else (found.family[:64], _version(found.major, found.minor))
    if text.startswith(("Mozilla/", "Opera/")) and not spider and family not in _OTHERS:
        code, name = _BROWSERS.get(family, ("", family))
        return ("browser", code, name, version) if family else ("", "", "", "")
    if not family or family in _BROWSERS:
        product = _PRODUCT.match(text)
        if product is None or (product[2] is None and product[1].lower() not in _LIBRARIES):
            return "", "", "", ""
        family, version = product[1], _version(*(product[2] or "").split("."))
    mobile = os_code in {"AND", "IOS", "IPA", "HAR"} and not spider
    kind = _OTHERS.get(family, "mobile app" if mobile else "library")
    return kind, "", _LIBRARIES.get(family.lower(), family), version


def _engine(text: str, os_code: str) -> tuple[str, str]:
    for name, pattern in _ENGINES:
        # On Apple's mobile systems every browser uses WebKit.
        if (match := pattern.search(text)) and (os_code not in {"IOS", "IPA"} or name == "WebKit"):
            return name, match[1]
    return "", ""


def _kind(text: str, os_code: str, *, browser: bool) -> str:
    if os_code not in {"XBX", "PS3", "WII"} and _TELEVISION.search(text):
        return "tv"
    if os_code == "IOS" and "iPad" in text:
        return "tablet"
    if os_code == "IOS" and "iPod" in text:
        return "portable media player"
    if os_code in {"AND", "HAR"}:
        # A browser on a phone names it; an app often does not.
        return "tablet" if "Tablet" in text or (browser and "Mobile" not in text) else "smartphone"
    return _KINDS.get(os_code, "")


def _hardware(text: str, os_code: str, found: ua_parser.Device | None) -> tuple[str, str]:
    """Return brand and model."""
    if os_code == "XBX":
        return "Microsoft", "Xbox"
    if _FIRE_TV in text:
        return "Amazon", "Fire TV"
    brand, model = ("", "") if found is None else (found.brand or "", found.model or "")
    if brand.startswith("Generic"):
        # Chrome hides the model behind a K; the rest are ua-parser's words for nothing known.
        brand, model = "", "" if model in {"K", "Smartphone", "Tablet", "Feature Phone"} else model
    if not brand and model.startswith("SM-"):
        brand = "Samsung"
    if os_code in _APPLE:
        brand = "Apple"
        model = next((name for name in ("iPhone", "iPad", "iPod", "Apple TV", "Apple Watch") if name in model), "")
    if os_code in _DESKTOPS or model in {"Browser", "SMART-TV", "Web0S SmartTV"}:
        model = ""
    return brand[:64], model[:64].removeprefix(f"{brand} ")


def _version(major: str | None = None, minor: str | None = None, *_: str) -> str:
    return ".".join(part[:16] for part in (major, minor) if part)


@dataclass(frozen=True, slots=True)
class Device:
    """A device; all fields are texts, "" where nothing is known. The order is the one on the wire."""

    os_code: str = ""
    os_name: str = ""
    os_version: str = ""
    client_type: str = ""
    client_code: str = ""
    client_name: str = ""
    client_version: str = ""
    client_engine: str = ""
    client_engine_version: str = ""
    device_name: str = ""
    device_brand: str = ""
    device_model: str = ""
