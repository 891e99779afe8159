"""Secret type: printed, logged or stored by mistake it shows stars (ASVS 16.2.5).

A plain secret is wrapped on arrival and unwrapped by `reveal()` at the one place that needs its text.
"""

import hmac
from typing import NoReturn, final

_STARS = "***"


@final
class Secret:
    """A text that neither repr, str nor an f-string shows; it can't be pickled, and JSON does not know it."""

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]  # looking it up in a table would compare it early out

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text itself, which must not be kept, printed or sent from here on."""
        return self._text

    def __eq__(self, other: object) -> bool:
        """Compare in constant time; never equal to a plain text."""
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
        """Return the same object, as `dataclasses.asdict` copies its fields."""
        return self

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("a secret is not to be stored")
