"""Addresses made to be misread, grown from the known tricks by fixed mutations (S25 to S27)."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parents[2] / "tests" / "unit" / "data" / "redirect_vectors.txt"
HOSTNAMES = ("app.example.com", "*.example.org", "localhost", "127.0.0.1", "[::1]", "xn--bcher-kva.example.net")
_EVIL = (
    "evil.test",
    "app.example.com.evil.test",
    "evil-app.example.com",
    "[2001:db8::1]",
    "0x7f000001",
    "evil.test:443",
)
# What some reader somewhere drops, folds, or takes for something else.
_GRAINS = (
    *(chr(code) for code in range(33)), "\x7f", "\x80", "\x85", "\xa0", "\xad", "\u200b", "\u200d", "\u200e", "\u202e",
    "\u2028", "\u2060", "\ufeff", "\ufffd", "\u3002", "\uff0e", "\uff0f", "\uff3c", "\uff20", "\uff1a", "\u2044",
    "\u2215", "\u29f8", "\u212a", "\u017f", "\u0131", "\u00df", "\u0430", "\ud800", "\\", "\\\\", "/", "//", "/\\", "@",
    ":", "::", "?", "#", ";", ",", "%", "%2e", "%2f", "%5c", "%40", "%3a", "%00", "%0d%0a", "%23", "%3f", "%252f",
    "%c0%af", "%e3%80%82", "%ff", "&", "*", "|", "^", "`", "<", ">", '"', "'", "{", "}", "[", "]", "(", ")", "+", "~",
    "$", "!", "=", "evil.test", "@evil.test", ".evil.test", "evil.test/", "evil.test\\", "evil.test#", "evil.test?",
    "evil.test@", "user:pw@", "javascript:", "..", "../", "localhost", "0x7f.1",
)  # fmt: skip
_SCHEMES = (
    "http", "HTTPS", "hTTps", "ftp", "ws", "wss", "file", "blob", "data", "javascript", "vbscript", "view-source",
    "mailto", "about", "intent", "https:https", "view-source:https", " https", "https ", "h\tttps", "https\n", "",
    "x-app",
)  # fmt: skip
_SLASHES = (
    ":",
    ":/",
    ":///",
    "://///",
    ":\\\\",
    ":/\\",
    ":\\/",
    "//",
    "::/",
    ":/ /",
    ":\t//",
    ":/\n/",
    "：//",
    ":%2f%2f",
)
_PORTS = (
    "", "0", "80", "443", "0443", "8443", "65535", "65536", "99999", "999999999999", "-1", "+1", "1e3", "0x50", "8 0",
    "80@", "80:80", "\uff18\uff10", "http", "%38", "08", "443\\@evil.test", "443@evil.test",
)  # fmt: skip


# A caller's own parameters under the names of ours.
_TAKEN = (
    "secret=x", "secret", "secret=x&secret=y", "secret[]=x", "secret[a]=x", "%73ecret=x", "SECRET=x", "secret%00=x",
    "secret%5B%5D=x", "sec.ret=x", "+secret=x", "%20secret=x", "secret;=x", "userId=x&secret=y&expire=0",
    "secret=%26secret%3Dx", "secret%=x", "=secret", "&&secret=x", "secret%3Dx", "secret#secret=x", "secret=x?secret=y",
)  # fmt: skip


def seeds() -> list[str]:
    lines = DATA.read_text("ascii").splitlines()
    return [json.loads(line[7:]) for line in lines if not line.startswith("#")]


def vectors(count: int, seed: int) -> list[str]:
    """Yield the seeds, then every mutation by hand, then random ones until there are `count`, each once."""
    chance = random.Random(seed)
    found = dict.fromkeys([*seeds(), *_by_hand()])
    pool = list(found)
    while len(found) < count:
        found[_mutated(chance.choice(pool), chance)] = None
    return list(found)


def _by_hand() -> Iterator[str]:
    """Apply each trick at each joint of a plain address."""
    parts = ("https", "://", "app", ".", "example.com", ":8443", "/a", "?b=c", "#d")
    for grain in _GRAINS:
        for joint in range(len(parts) + 1):
            yield "".join(parts[:joint]) + grain + "".join(parts[joint:])
    for scheme in _SCHEMES:
        yield f"{scheme}://app.example.com/cb"
    for slashes in _SLASHES:
        yield f"https{slashes}app.example.com/cb"
        yield f"https{slashes}evil.test/app.example.com"
    for port in _PORTS:
        yield f"https://app.example.com:{port}/cb"
        yield f"https://[::1]:{port}/cb"
    for taken in _TAKEN:
        yield f"https://app.example.com/cb?a=b&{taken}"
        yield f"https://app.example.com/cb?{taken}&a=b#{taken}"
    for evil in _EVIL:
        for form in ("https://{0}/cb", "https://{0}?app.example.com", "https://{0}#.example.org",
                     "https://{0}\\.example.org", "https://app.example.com@{0}/", "https://{0}@app.example.com/", "https://{0}.example.org/",
                     "https://{0}%2f.example.org/", "https://{0}/.example.org", "//{0}/cb",
                     "https:{0}/cb"):  # fmt: skip
            yield form.format(evil)


def _mutated(address: str, chance: random.Random) -> str:
    """Make one to three changes: a character put in or over, a piece doubled or removed, a case changed, an escape."""
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(address) + 1)
        to = min(len(address), at + chance.randrange(1, 6))
        piece = address[at:to]
        address = (
            address[:at]
            + chance.choice(
                (
                    chance.choice(_GRAINS) + piece,
                    chance.choice(_GRAINS),
                    piece * 2,
                    "",
                    piece.swapcase(),
                    _escaped(piece),
                )
            )
            + address[to:]
        )
    return address


def _escaped(piece: str) -> str:
    return "".join(f"%{byte:02x}" for byte in piece.encode("utf-8", "surrogatepass"))


GOOD = (
    "https://app.example.com", "https://app.example.com/", "https://APP.example.COM/cb", "HTTPS://app.example.com/cb",
    "https://app.example.com:443/", "https://app.example.com:8443/", "https://app.example.com:1/", "https://app.example.com:65535/",
    "https://app.example.com?a=b", "https://app.example.com#a", "https://app.example.com/?", "https://app.example.com/#",
    "https://app.example.com/a/b/c.html", "https://app.example.com/a//b", "https://app.example.com/a%20b",
    "https://app.example.com/%C3%A9", "https://app.example.com/a;b=c", "https://app.example.com/a,b", "https://app.example.com/~a",
    "https://app.example.com/a'b", "https://app.example.com/(a)", "https://app.example.com/a!b", "https://app.example.com/$a",
    "https://app.example.com/a*b", "https://app.example.com/a+b", "https://app.example.com/a=b", "https://app.example.com/a:b",
    "https://app.example.com/a@b", "https://app.example.com/-._", "https://app.example.com/?a=1&b=2&a=3",
    "https://app.example.com/?a[]=1&a[]=2", "https://app.example.com/?u=https://evil.test/", "https://app.example.com/?a=%26",
    "https://app.example.com/?q=a+b", "https://app.example.com/?a=/b/../c", "https://app.example.com/?a?b",
    "https://app.example.com/#/reset?step=2", "https://app.example.com/#!/x", "https://app.example.com/cb?a=%2F#b",
    "https://a.example.org/", "https://a.b.c.example.org/cb", "https://a-b.example.org/", "https://0.example.org/",
    "https://r3---sn.example.org/", "https://xn--bcher-kva.example.net/", "http://localhost/", "http://localhost:3000/cb?x=1#y",
    "https://localhost/", "http://127.0.0.1:5173/", "http://[::1]:8080/cb", "https://[::1]/", "http://LocalHost:3000/",
)  # fmt: skip
