"""The one site of a project, where its platforms are a host and names below it."""

from collections.abc import Collection


def find(hostnames: Collection[str]) -> str | None:
    """Return the host that has all others below it; None for a project of several sites, or of none.

    A developer's machine is no site: localhost and numeric addresses don't count.
    """
    public = [host for host in hostnames if not (host.endswith(("localhost", "]")) or host[-1:].isdigit())]
    shortest = min(public, key=len, default=None)
    if shortest is None or shortest.startswith("*."):
        return None
    return shortest if all(host == shortest or host.endswith(f".{shortest}") for host in public) else None
