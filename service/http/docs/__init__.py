"""The documentation site of a service: guides, reference and handbook, readable without scripts.

Nothing of it is read, compiled or made before the first request. Each page is rendered once and kept; there are only as
many as `names` lists.
"""

from functools import lru_cache

from service.http.docs import articles, pages, reference

__all__ = ["names", "page", "policy"]
policy = pages.policy


@lru_cache(4)
def names(address: str) -> frozenset[str]:
    """List the pages by their paths behind /docs/; the start page is the empty name."""
    sections = {f"api/{slug}" for slug in reference.contents(address)}
    return frozenset({"", "search", "errors", "api", *articles.contents(), *sections})


def page(address: str, name: str) -> bytes | None:
    """Return a page of the service at that address; None if there is none of that name."""
    return _page(address, name) if name in names(address) else None


@lru_cache(64)
def _page(address: str, name: str) -> bytes:
    site = pages.Site(address, articles.contents(), reference.contents(address))
    if name in site.articles:
        return pages.article(site, name)
    folder, _, slug = name.partition("/")
    if slug:
        return pages.section(site, slug)
    return {"": pages.start, "search": pages.search, "errors": pages.errors, "api": pages.overview}[folder](site)
