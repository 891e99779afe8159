"""The version of a library that is installed here, as numbers."""

from importlib.metadata import version


def at_least(name: str, *floor: int) -> None:
    """The release in which a fault of a library was mended is behind us."""
    numbers = tuple(int(part) for part in version(name).split(".")[:3] if part.isdigit())
    assert numbers >= floor, f"{name} {numbers}"
