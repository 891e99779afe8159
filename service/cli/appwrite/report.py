"""Report of an import: counts, and the ids of users that were not taken."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from service.cli.appwrite.source_users import SourceUser


@dataclass(slots=True)
class Report:
    """Outcome of an import; `skipped` has the ids of those that were not taken, by reason.

    What came with new users is counted too, and by reason the identities that were left out.
    """

    imported: int = 0
    updated: int = 0
    left: int = 0
    without_password: int = 0
    identities: int = 0
    authenticators: int = 0
    recovery_codes: int = 0
    mfa_without_app: int = 0
    devices_left_out: int = 0
    identities_left_out: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    @property
    def read(self) -> int:
        return self.imported + self.updated + self.left + sum(map(len, self.skipped.values()))

    def count(self, user: SourceUser, *, identities: int) -> None:
        """Count a new user, who has so many identities now."""
        self.imported += 1
        self.without_password += user.hash is None
        self.identities += identities
        self.authenticators += user.factors.totp is not None
        self.recovery_codes += len(user.factors.codes)
        self.mfa_without_app += user.factors.mfa and user.factors.totp is None
        self.devices_left_out += user.left_out
        self.identities_left_out += user.identities.left_out
        self.identities_left_out["they are of another user here"] += len(user.identities.taken) - identities

    def line(self) -> str:
        told = f"{self.imported} imported, {self.updated} updated, {self.left} were here"
        return f"{told}, {sum(map(len, self.skipped.values()))} skipped"

    def answer(self, *, dry_run: bool) -> dict[str, Any]:
        counts = {name: getattr(self, name) for name in ("imported", "updated", "left")}
        came = ("without_password", "identities", "authenticators", "recovery_codes", "mfa_without_app")
        more = {name: getattr(self, name) for name in (*came, "devices_left_out")}
        left_out = {"identities_left_out": dict(+self.identities_left_out), "skipped": dict(self.skipped)}
        return ({"dry_run": True} if dry_run else {}) | counts | more | left_out
