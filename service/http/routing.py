"""Routes; each states its contract above its handler: path, access and limits.

@public.post("/v1/account/recovery")
@limited(10, HOUR, by="email", only="successes")
@limited(100, HOUR, by="ip")
@contract(takes=CreateRecovery, gives=schemas.TOKEN, status=201)
async def create_recovery(ctx: RequestContext) -> web.Response: ...

The API document is made from these lines (openapi/).
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from aiohttp import web

from service.rate_limiter import Only, Rule, Window
from service.scopes import EVENTS_READ

if TYPE_CHECKING:
    from service.errors import AccountError
    from service.http.context import RequestContext
    from service.http.request_body import Body
    from service.http.schemas import Parameter, Schema

By = Literal["ip", "network", "email", "phone", "user", "userId", "challengeId", "project"]
Access = Literal["public", "member", "key", "open"]
# What a member must have proved lately, besides the session: a challenge in the last 30 minutes, always or where the
# account asks for second factors; or a challenge or the sign-in in the last 10 (service/http/second_factors.py).
Proof = Literal["fresh", "fresh_if_mfa", "recent"]
Handler = Callable[["RequestContext"], Awaitable[web.Response]]
# The scope and the windows of what a handler does for an address: of the body, or the member's own.
Quota = Callable[["RequestContext", str], tuple[str, Sequence[Window]]]


@dataclass(frozen=True, slots=True)
class Limit:
    """Rate limit of a route; `by` names the key: a client's address, a body's field, the member, or the whole project.

    A known device has windows of its own; `network` alone counts it with all others of its address.
    """

    rule: Rule
    by: By
    only: Only = None


@dataclass(frozen=True, slots=True)
class Contract:
    """Body, response and errors of a route; `raises` is for the handler's own: access, limits and body imply theirs.

    A route that `refuses` has no success. It is there so that SDKs get this error and no other route takes the path.
    """

    request: "type[Body] | None" = None
    response: "Schema | None" = None
    status: int = 204
    raises: "tuple[type[AccountError], ...]" = ()
    query: "tuple[Parameter, ...]" = ()
    refuses: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One route: `scope` is what a key needs for it; a `page` answers people in HTML, its errors too.

    A `navigation` is such a page for browsers only: SDKs call it too. A member's route is `gated` unless it leads to a
    second factor, or out: others are closed to sessions without one.
    """

    method: str
    paths: tuple[str, ...]
    access: Access
    handler: Handler
    limits: tuple[Limit, ...]
    opens_session: bool
    scope: str
    page: bool
    contract: Contract
    gated: bool = True
    proof: Proof | None = None
    navigation: bool = False
    quota: Quota | None = None
    deferred: bool = False

    @property
    def name(self) -> str:
        """Name of the handler and of this route in logs and limits, one for all its paths."""
        return self.handler.__name__


ROUTES: list[Route] = []
_limits: dict[Handler, tuple[Limit, ...]] = {}
_contracts: dict[Handler, Contract] = {}
_proofs: dict[Handler, Proof] = {}
_quotas: dict[Handler, Quota] = {}
_deferred: set[Handler] = set()


def limited(limit: int, window: int, *, by: By, only: Only = None, shared: str = "") -> Callable[[Handler], Handler]:
    """Allow at most `limit` calls in any `window` seconds; all of a route's limits are counted in one call.

    `only` names the calls that stay counted: the others are refunded when they are answered. `shared` names a route
    that does the same: both count in its windows.
    """

    def declare(handler: Handler) -> Handler:
        rule = Rule(f"{shared or handler.__name__}.{by}", limit, window)
        _limits[handler] = (Limit(rule, by, only), *_limits.get(handler, ()))
        return handler

    return declare


def charged(quota: Quota) -> Callable[[Handler], Handler]:
    """Count the quota that the handler charges together with the route's limits, where the body is right: in one call.

    It concerns the `email` of the body, on members' routes that of the member.
    """

    def declare(handler: Handler) -> Handler:
        _quotas[handler] = quota
        return handler

    return declare


def deferred(handler: Handler) -> Handler:
    """Have the handler's first statement count the route's limits in Postgres, where Redis lets the call pass."""
    _deferred.add(handler)
    return handler


def requires(proof: Proof) -> Callable[[Handler], Handler]:
    """Let only members in who have proved so much lately; checked before the limits are counted."""

    def declare(handler: Handler) -> Handler:
        _proofs[handler] = proof
        return handler

    return declare


def contract(
    *,
    takes: "type[Body] | None" = None,
    gives: "Schema | None" = None,
    status: int | None = None,
    raises: "tuple[type[AccountError], ...]" = (),
    query: "tuple[Parameter, ...]" = (),
    refuses: "type[AccountError] | None" = None,
) -> Callable[[Handler], Handler]:
    """Declare the body that the handler reads, its response and status, and its own errors.

    `refuses` is the error of a handler that has no success.
    """
    own = (*raises, refuses) if refuses else raises

    def declare(handler: Handler) -> Handler:
        status_ = status or (200 if gives else 204)
        _contracts[handler] = Contract(takes, gives, status_, own, query, refuses=refuses is not None)
        return handler

    return declare


class RouteGroup:
    """Routes with the same access; registers a handler by method and paths."""

    def __init__(self, access: Access, scope: str = "account") -> None:
        self._access, self._scope = access, scope

    def get(
        self, *paths: str, page: bool = False, gated: bool = True, navigation: bool = False
    ) -> Callable[[Handler], Handler]:
        return self._register("GET", paths, page=page, gated=gated, navigation=navigation)

    def post(
        self, *paths: str, opens_session: bool = False, page: bool = False, gated: bool = True
    ) -> Callable[[Handler], Handler]:
        return self._register("POST", paths, opens_session=opens_session, page=page, gated=gated)

    def put(self, *paths: str, opens_session: bool = False, gated: bool = True) -> Callable[[Handler], Handler]:
        return self._register("PUT", paths, opens_session=opens_session, gated=gated)

    def patch(self, *paths: str) -> Callable[[Handler], Handler]:
        return self._register("PATCH", paths)

    def delete(self, *paths: str, gated: bool = True) -> Callable[[Handler], Handler]:
        return self._register("DELETE", paths, gated=gated)

    def _register(
        self,
        method: str,
        paths: tuple[str, ...],
        *,
        opens_session: bool = False,
        page: bool = False,
        gated: bool = True,
        navigation: bool = False,
    ) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            limits = _limits.get(handler, ())
            terms = _contracts.get(handler, Contract())
            ROUTES.append(
                Route(
                    method, paths, self._access, handler, limits, opens_session, self._scope, page,
                    contract=terms, gated=gated, proof=_proofs.get(handler), navigation=navigation,
                    quota=_quotas.get(handler), deferred=handler in _deferred,
                )
            )  # fmt: skip
            return handler

        return declare


# A server with a key may open public routes if the key has their scope; an account's own routes are a member's alone.
public, member = RouteGroup("public", "sessions.write"), RouteGroup("member", "account")
users_read, users_write = RouteGroup("key", "users.read"), RouteGroup("key", "users.write")
events_read = RouteGroup("key", EVENTS_READ)
# Routes without a project, the same for all clients.
without_guards = RouteGroup("open", "")
