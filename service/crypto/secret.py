"""A secret as a value: what prints, logs or stores it by mistake has stars (ASVS 16.2.5).

A plain secret is kept in this from the door to the one place that needs its text, which says `reveal()`.
"""

import hmac
from typing import NoReturn, final

_STARS = "***"


@final
class Secret:
    """Neither repr, str, a format nor an f-string shows the text; it can't be pickled, and JSON does not know it."""

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]  # looking it up in a table would compare it early out

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. What holds it from here on is not to be kept, printed or sent."""
        return self._text

    def __eq__(self, other: object) -> bool:
        """In a time that tells nothing of where they differ; never equal to a plain text."""
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret.reveal().encode(errors="surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    def __repr__(self) -> str:
        return _STARS

    def __format__(self, _specification: str) -> str:
        return _STARS

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, _memo: object) -> "Secret":
        """`dataclasses.asdict` copies what it finds."""
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not to be stored")
