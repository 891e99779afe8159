"""Name, colour, logo and footer that a project puts on its letters.

The operator of a project sets it; no client can.
"""

from dataclasses import dataclass, field

from service.accent_colors import DEFAULT_ACCENT, Accent, choose_accent
from service.store.branding import Logo
from service.store.outbox_claims import Claim

# RFC 2392 wants an id that the world has once; that of the same bytes may be the same.
_CONTENT_ID = "logo.{}@letters.invalid"


@dataclass(frozen=True, slots=True)
class InlineImage:
    """Image that is sent with a letter; its HTML part names it as `cid:` and the id (RFC 2392)."""

    cid: str
    media_type: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Branding:
    """Branding of a letter. `logo_cid` names the inline attachment with the logo; without it the name stands there.

    Raises ValueError for a colour that isn't `#rrggbb`.
    """

    name: str
    accent_color: str = DEFAULT_ACCENT
    support_address: str = ""
    footer_text: str = ""
    logo_cid: str | None = None
    accent: Accent = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accent", choose_accent(self.accent_color))


def of_claim(claim: Claim, logo: InlineImage | None) -> Branding:
    """Return the branding of a claimed mail's project."""
    return Branding(
        claim.project_name,
        claim.accent_color or DEFAULT_ACCENT,
        claim.support_address,
        claim.footer_text,
        logo.cid if logo else None,
    )


def inline_image(logo: Logo | None, digest: str | None) -> InlineImage | None:
    """Return the logo as an attachment of its letter; None without one."""
    if not logo or not digest:
        return None
    return InlineImage(_CONTENT_ID.format(digest[:32]), logo.media_type, logo.data)
