"""Accent colours of a project, with labels that can be read and edges that can be seen on light and dark ground."""

import re
from dataclasses import dataclass
from functools import cache

_COLOR = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
DEFAULT_ACCENT = "#0b57d0"
# The card that a button stands on, as in templates/base/letter.css and dark.css.
CARD, DARK_CARD = "#ffffff", "#1f2228"
EDGE, DARK_EDGE = "#5f6670", "#a3abb7"
# WCAG 2.2: 1.4.11 for the edge of a control; 1.4.3, 4.5, is always met by black or white.
EDGE_CONTRAST = 3.0


@dataclass(frozen=True, slots=True)
class Accent:
    """Colours of a button that can be read and seen on a light card and on a dark one."""

    fill: str
    ink: str
    edge: str
    dark_edge: str


@cache
def choose_accent(color: str) -> Accent:
    """Choose the better of black and white for the label, and an edge where the button would melt into its card."""
    if _COLOR.fullmatch(color) is None:
        raise ValueError("an accent colour has the form #rrggbb")
    ink = max("#ffffff", "#000000", key=lambda ink: contrast(ink, color))
    edge = color if contrast(color, CARD) >= EDGE_CONTRAST else EDGE
    dark_edge = color if contrast(color, DARK_CARD) >= EDGE_CONTRAST else DARK_EDGE
    return Accent(color, ink, edge, dark_edge)


def contrast(one: str, other: str) -> float:
    """Compute the contrast of two colours, 1 to 21 (WCAG 2.2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(int(color[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
