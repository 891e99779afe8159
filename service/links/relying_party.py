"""The relying party of passkeys: the host that they are made for, and the origins that may use them.

An origin is compared as a browser spells it, with scheme, host and port; nothing is repaired (docs/passkeys.md).
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from hashlib import sha256

from service.links import redirect_policy

LOCALHOST = "localhost"
_WEB = re.compile(r"https://(?P<host>[a-z0-9]([a-z0-9.-]*[a-z0-9])?)")
# A developer's own machine, on which ports are many and certificates few.
_LOCAL = re.compile(r"https?://localhost(:[1-9][0-9]{0,4})?")
# An app on Android names itself by the hash of its signing certificate.
ANDROID = re.compile(r"android:apk-key-hash:[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """`id` is a host without scheme or port; `hostnames` are those of the project at it or below it."""

    id: str
    hostnames: tuple[str, ...]
    apps: tuple[str, ...]

    @property
    def digest(self) -> bytes:
        """Digest of the host and of all origins: what was begun under other ones does not count."""
        return sha256("\n".join((self.id, *self.hostnames, "", *self.apps)).encode()).digest()

    def allows(self, origin: str) -> bool:
        """Tell whether a browser or an app at this origin may make and use passkeys."""
        if self.id == LOCALHOST:
            return _LOCAL.fullmatch(origin) is not None
        if origin in self.apps:
            return True
        match = _WEB.fullmatch(origin)
        if match is None:
            return False
        host = match["host"]
        # Apps on Apple's systems are at the relying party itself, listed or not.
        return host == self.id or (_is_below(host, self.id) and redirect_policy.host_allowed(host, self.hostnames))


def find(rp_id: str, hostnames: Collection[str], apps: Collection[str], *, origin: str) -> RelyingParty | None:
    """Find the relying party of a ceremony that is begun at an origin; empty where the client is no browser.

    A page on localhost makes passkeys for localhost, if the project lists that: they are none of the project's others.
    None without any host to make passkeys for.
    """
    is_local = LOCALHOST in hostnames and (rp_id == LOCALHOST or _LOCAL.fullmatch(origin) is not None)
    if not rp_id or (rp_id == LOCALHOST and not is_local):
        return None
    if is_local:
        return RelyingParty(LOCALHOST, (), ())
    fits = (name for name in hostnames if _is_below(name.removeprefix("*."), rp_id))
    return RelyingParty(rp_id, tuple(sorted(fits)), tuple(sorted(app for app in apps if ANDROID.fullmatch(app))))


def _is_below(host: str, rp_id: str) -> bool:
    return host == rp_id or host.endswith("." + rp_id)
