"""Body of a page that a mailed link leads to: what the link carries, sent back by the page's button."""

from service.http.fields import LinkUserId, TokenSecret
from service.http.request_body import Body


class LinkProof(Body):
    """The secret, and the user where it is long: a short one stands for both."""

    secret: TokenSecret
    userId: LinkUserId  # noqa: N815 - the contract's spelling
