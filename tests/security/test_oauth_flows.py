"""Sign-in by a provider under attack: in another's browser, with another's answer, twice, too late (S103 to S105)."""

import asyncio
import json
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from service import ids
from service.db import Pool
from service.settings import Settings
from service.store import projects
from service.store.tokens import Kind
from testkit import hostile_provider
from testkit.api import Api
from testkit.api_keys import key
from testkit.forms import Page
from testkit.hosted_pages import follow_link
from testkit.identity_provider import IdentityProvider, rsa_key
from testkit.proofs import WAYS, Post, Way, use
from testkit.visitor import AGAIN, HOME, SESSIONS, TOKENS, Visitor, change_project, error, parameters, with_password
from tests.security.test_notices import DONE, link

pytestmark = pytest.mark.usefixtures("cheap")
NOTHING = (400, "text/html")
EVE = {"sub": "eve", "email": "eve@evil.example", "email_verified": True}


@pytest.fixture
def eve(api: Api, provider: IdentityProvider) -> Visitor:
    """An attacker, with a browser and an account at the provider of her own."""
    return Visitor(api, provider)


async def eves_callback(eve: Visitor, kind: str = SESSIONS) -> str:
    """Have Eve go to the provider and keep the address that leads back."""
    eve.provider.user = dict(EVE)
    return await eve.go(kind)


async def counts(pool: Pool) -> tuple[int, ...]:
    """Users, sessions, identities and tokens of sign-ins."""
    row = await pool.fetchrow(
        "select (select count(*) from users), (select count(*) from sessions), (select count(*) from identities), "
        "(select count(*) from tokens where kind = 'oauth2')"
    )
    return tuple(row)


@pytest.mark.parametrize("kind", [SESSIONS, TOKENS])
async def test_s103_a_callback_that_an_attacker_prepared_links_nothing(
    api: Api, provider: IdentityProvider, pool: Pool, eve: Visitor, kind: str
):
    """Opened in the browser of a victim who is signed in, it adds no identity, opens nothing and leads nowhere."""
    victim = await with_password(api, provider, "victim@example.com")
    callback = await eves_callback(eve, kind)
    before, cookies = await counts(pool), dict(victim.cookies)
    answer = await victim.come_back(callback)
    assert (answer.status, answer.content_type) == NOTHING
    assert "Location" not in answer.headers
    assert await counts(pool) == before
    assert victim.cookies == cookies
    assert (await victim.account())["email"] == "victim@example.com"


async def test_s103_a_callback_signs_nobody_else_in(
    api: Api, provider: IdentityProvider, eve: Visitor, visitor: Visitor
):
    """A visitor who is sent to it does not find himself in the attacker's account, whatever cookies he has."""
    callback = await eves_callback(eve)
    answer = await visitor.come_back(callback)
    assert (answer.status, answer.content_type) == NOTHING
    await visitor.start()
    assert (await visitor.come_back(callback)).status == 400
    (mine,) = [name for name in visitor.cookies if name.startswith("oauth_")]
    (hers,) = [name for name in eve.cookies if name.startswith("oauth_")]
    visitor.cookies[hers] = visitor.cookies[mine]
    assert (await visitor.come_back(callback)).status == 400
    assert (await visitor.call("GET", "/v1/account")).status == 401


async def test_s103_another_browser_uses_no_flow_up(eve: Visitor, visitor: Visitor):
    """Another's callback can be opened without keeping the right browser from coming back."""
    callback = await eves_callback(eve)
    assert (await visitor.come_back(callback)).status == 400
    assert (await eve.come_back(callback)).headers["Location"] == HOME


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": "same-origin", "Referer": "https://evil.example/"},
        {"Sec-Fetch-Site": "cross-site", "Referer": "https://localhost.evil.example/"},
        {"Referer": "about:blank"},
    ],
)
async def test_s103_a_start_by_another_page_links_nothing(
    api: Api, provider: IdentityProvider, pool: Pool, headers: dict[str, str]
):
    """A page that has signed its visitor in at the provider as the attacker, and leads to the start, gains nothing."""
    victim = await with_password(api, provider, "victim@example.com")
    provider.user = dict(EVE)
    query = urlencode({"project": "shop", "success": HOME, "failure": AGAIN})
    started = await victim.get(f"{SESSIONS}/oidc?{query}", headers=headers)
    back = await provider.sign_in(started.headers["Location"])
    answer = await victim.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}")
    assert error(answer) == (409, "user_already_exists")
    assert (await counts(pool))[2] == 0
    assert (await victim.account())["email"] == "victim@example.com"


async def test_s103_the_apps_own_page_links(api: Api, provider: IdentityProvider, pool: Pool):
    """The same from a page of the project, on another site than ours, is what its user wants."""
    member = await with_password(api, provider, "bob@example.com")
    query = urlencode({"project": "shop", "success": HOME, "failure": AGAIN})
    headers = {"Sec-Fetch-Site": "cross-site", "Referer": "http://localhost/"}
    started = await member.get(f"{SESSIONS}/oidc?{query}", headers=headers)
    back = await provider.sign_in(started.headers["Location"])
    answer = await member.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}")
    assert answer.headers["Location"] == HOME
    assert (await counts(pool))[2] == 1


async def test_s103_a_flow_of_a_server_never_touches_the_browsers_session(
    api: Api, provider: IdentityProvider, pool: Pool
):
    """A flow that no cookie ties to a browser neither links nor signs in: it ends in a token for the app's server."""
    victim = await with_password(api, provider, "victim@example.com")
    server = await key(pool, "sessions.write")
    provider.user = dict(EVE)
    started = await api.call(
        "GET", f"{TOKENS}/oidc?success={HOME}&failure={AGAIN}", modern=True, headers=server, allow_redirects=False
    )
    back = await provider.sign_in(started.headers["Location"])
    answer = await victim.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}")
    assert parameters(answer).keys() == {"userId", "secret"}
    account = await victim.account()
    assert account["email"] == "victim@example.com"
    assert account["$id"] != parameters(answer)["userId"]
    owners = await pool.fetch("select user_id from identities")
    assert [row[0] for row in owners] == [parameters(answer)["userId"]]


async def test_s103_a_made_up_key_unbinds_nothing(api: Api, provider: IdentityProvider):
    """Only a real key starts a flow without a cookie."""
    answer = await api.call(
        "GET", f"{TOKENS}/oidc", modern=True, headers={"X-Appwrite-Key": "key_made_up"}, allow_redirects=False
    )
    assert answer.status == 301
    assert answer.headers.getall("Set-Cookie")[0].startswith("oauth_")


async def test_s103_a_browser_keeps_five_flows(visitor: Visitor):
    """Of more sign-ins under way the oldest goes."""
    for _ in range(7):
        await visitor.start()
    assert len([name for name in visitor.cookies if name.startswith("oauth_")]) == 5


async def test_s104_a_callback_works_once(visitor: Visitor, pool: Pool):
    """Of any number of times, also at once, one leads into the app."""
    callback = await visitor.go()
    kept = dict(visitor.cookies)
    twins = [Visitor(visitor.api, visitor.provider, dict(kept)) for _ in range(5)]
    answers = await asyncio.gather(*(twin.come_back(callback) for twin in twins))
    assert sorted(answer.status for answer in answers) == [301, 400, 400, 400, 400]
    assert (await Visitor(visitor.api, visitor.provider, kept).come_back(callback)).status == 400
    assert await counts(pool) == (1, 1, 1, 0)


async def test_s104_a_callback_expires(visitor: Visitor, pool: Pool):
    """Ten minutes after the start nothing comes of it."""
    callback = await visitor.go()
    await pool.execute("update oauth_flows set expires_at = now()")
    answer = await visitor.come_back(callback)
    assert (answer.status, answer.content_type) == NOTHING
    assert await counts(pool) == (0, 0, 0, 0)


async def test_s104_a_callback_is_its_providers_and_projects(
    visitor: Visitor, pool: Pool, settings: Settings, provider: IdentityProvider
):
    """The state of one provider or project is made-up text at another, and ends nothing."""
    await provider.register(pool, settings.key_ring, "shop", "oidc-other")
    await projects.create(pool, "mall", name="Mall")
    await provider.register(pool, settings.key_ring, "mall")
    callback = await visitor.go()
    for other in (
        callback.replace("/oidc/shop", "/oidc-other/shop"),
        callback.replace("/oidc/shop", "/oidc/mall"),
        callback.replace("/oidc/shop", "/oidc/nowhere"),
    ):
        answer = await visitor.come_back(other)
        assert answer.status in (400, 404)
        assert answer.content_type == "text/html"
    assert (await visitor.come_back(callback)).headers["Location"] == HOME


async def test_s104_no_state_can_be_made_up(visitor: Visitor, pool: Pool):
    """Every character of it counts; missing, doubled and foreign ones are one answer, and no query is run for them."""
    callback = await visitor.go()
    query = dict(parse_qsl(urlsplit(callback).query))
    state = query["state"]
    flipped = state[:-1] + ("A" if state[-1] != "A" else "B")
    for text in ("", "x", flipped, state[:-1], f"{ids.new()}.{state[21:]}", state.upper(), f" {state}", f"{state}\n"):
        answer = await visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode({**query, 'state': text})}")
        assert (answer.status, answer.content_type) == NOTHING, text
    end = f"{SESSIONS}/oidc/redirect?project=shop&{urlencode(query)}&state={state}"
    assert (await visitor.get(end)).status == 400
    assert (await visitor.come_back(callback)).headers["Location"] == HOME


async def test_s104_a_mix_up_gives_no_code_away(visitor: Visitor, pool: Pool, settings: Settings):
    """A hostile provider that sends its visitor on to an honest one gets no code of it, at neither callback."""
    honest = visitor.provider
    async with IdentityProvider(discovery={"authorization_endpoint": honest.url + "/authorize"}) as evil:
        await evil.register(pool, settings.key_ring, "shop", "oidc-evil")
        for says_iss in (True, None):
            evil.discovery["authorization_response_iss_parameter_supported"] = says_iss
            mixed = urlsplit(await visitor.go(name="oidc-evil"))
            assert dict(parse_qsl(mixed.query))["iss"] == honest.issuer
            # At its own callback, then at the one that the honest provider knows.
            assert error(await visitor.come_back(mixed.geturl())) == (424, "user_oauth2_provider_failure")
            mixed = urlsplit(await visitor.go(name="oidc-evil"))
            answer = await visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{mixed.query}")
            assert (answer.status, answer.content_type) == NOTHING
        assert evil.token_requests == honest.token_requests == []
        assert "/token" not in evil.calls
    assert await counts(pool) == (0, 0, 0, 0)


@pytest.mark.parametrize("iss", ["https://evil.example", "", None])
async def test_s104_an_answer_of_another_provider_is_refused(visitor: Visitor, pool: Pool, iss: str | None):
    """A code is not sent to a provider that did not issue it, as the answer's `iss` tells (RFC 9207)."""
    query = dict(parse_qsl(urlsplit(await visitor.go()).query))
    del query["iss"]
    rest = {} if iss is None else {"iss": iss}
    answer = await visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode({**query, **rest})}")
    assert error(answer) == (424, "user_oauth2_provider_failure")
    assert visitor.provider.token_requests == []
    assert await counts(pool) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "claims", [{"nonce": "another"}, {"nonce": None}, {"aud": "another"}, {"iss": "https://evil.example"}, {"exp": 1}]
)
async def test_s104_a_token_of_another_sign_in_is_refused(visitor: Visitor, pool: Pool, claims: dict[str, object]):
    """An ID token must be for this flow, this client, of this provider, and of now."""
    visitor.provider.claims = claims
    assert error(await visitor.sign_in()) == (424, "user_oauth2_provider_failure")
    assert await counts(pool) == (0, 0, 0, 0)


async def test_s104_another_verifier_redeems_no_code(visitor: Visitor, pool: Pool):
    """A code that was issued for another flow is refused by the provider: each flow has its own PKCE verifier."""
    first = dict(parse_qsl(urlsplit(await visitor.go()).query))
    second = dict(parse_qsl(urlsplit(await visitor.go()).query))
    mixed = {**second, "code": first["code"]}
    answer = await visitor.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(mixed)}")
    assert error(answer) == (424, "user_oauth2_provider_error")
    assert await counts(pool) == (0, 0, 0, 0)


@pytest.mark.parametrize("path", ["/token", "/userinfo", "/jwks"])
@pytest.mark.parametrize("fault", ["html", "redirect", "large", "drops"])
async def test_s104_a_broken_provider_costs_a_sign_in_only(visitor: Visitor, pool: Pool, path: str, fault: str):
    """Whatever a provider answers, its user is led back with an error, and nothing is half done."""
    visitor.provider.sparse = path == "/userinfo"
    visitor.provider.keys = [rsa_key(ids.new())]
    visitor.provider.answers[path] = getattr(hostile_provider, fault)
    kind = error(await visitor.sign_in())
    assert kind[0] == 424
    assert await counts(pool) == (0, 0, 0, 0)


async def test_s105_a_squatters_identity_goes_when_the_owner_comes(
    api: Api, provider: IdentityProvider, pool: Pool, post: Post
):
    """Whoever signed up with another person's address keeps no way in by a provider, on any of the owner's ways."""
    for number, way in enumerate(way for way in WAYS if way.kind in (Kind.RECOVERY, Kind.MAGIC_URL, Kind.OTP)):
        email = f"victim{number}@example.com"
        squatter = await with_password(api, provider, email)
        provider.user = {"sub": f"eve{number}", "email": f"eve{number}@evil.example", "email_verified": True}
        assert (await squatter.sign_in()).headers["Location"] == HOME
        user_id = (await squatter.account())["$id"]
        answer = await use(api, way, await post.issue(way.kind, user_id, email=email))
        assert answer.status == way.status
        assert (await pool.fetchrow("select count(*) from identities where user_id = $1", user_id))[0] == 0
        eve = Visitor(api, provider)
        await eve.sign_in()
        assert (await eve.account())["$id"] != user_id


async def test_s105_an_owner_by_identity_is_alone(api: Api, provider: IdentityProvider, pool: Pool):
    """The owner comes by a provider: the squatter's password, session and identity are gone, the owner's stays."""
    squatter = await with_password(api, provider, "victim@example.com")
    provider.user = dict(EVE)
    await squatter.sign_in()
    provider.user = {"sub": "victim", "email": "victim@example.com", "email_verified": True}
    owner = Visitor(api, provider)
    assert (await owner.sign_in()).headers["Location"] == HOME
    assert (await squatter.call("GET", "/v1/account")).status == 401
    rows = await pool.fetch("select subject from identities")
    assert [row[0] for row in rows] == ["victim"]


@pytest.mark.parametrize("changes", [{"trust_email": False}, {}])
async def test_s105_a_provider_that_anybody_runs_proves_no_address(
    visitor: Visitor, api: Api, pool: Pool, settings: Settings, changes: dict[str, bool]
):
    """A provider whose word on addresses the operator does not trust opens no account of an address."""
    await visitor.provider.register(pool, settings.key_ring, "shop", **changes)
    made = await api.sign_up("victim@example.com")
    visitor.provider.user = {"sub": "eve", "email": "victim@example.com", "email_verified": bool(changes)}
    assert error(await visitor.sign_in()) == (400, "general_bad_request")
    owners = await pool.fetch("select id from users")
    assert [row[0] for row in owners] == [made["$id"]]


@pytest.mark.parametrize("name", ["success", "failure"])
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/",
        "//evil.example/",
        "http://localhost@evil.example/",
        "http://localhost.evil.example/",
        "http://evil.example\\@localhost/",
        "javascript:alert(1)",
        "javascript://localhost/%0aalert(1)",
        "data:text/html,x",
        "appwrite-callback-mall://",
        "appwrite-callback-shop:evil",
        "appwrite-callback-shop://a/\r\nSet-Cookie: a=b",
        "exp://127.0.0.1:19000",
        "myapp://home",
        "intent://localhost/#Intent;scheme=https;end",
        "http://localhost/" + "a" * 2048,
    ],
)
async def test_s104_no_sign_in_leads_to_a_strangers_page(visitor: Visitor, api: Api, pool: Pool, name: str, url: str):
    """Both addresses are the project's own hosts or apps; a refused one starts nothing, and is not repeated."""
    await change_project(api, plain_http=False)
    answer = await visitor.start(**{name: url})
    assert answer.status == 400
    assert "evil" not in answer.data
    assert "Location" not in answer.headers
    assert (await pool.fetchrow("select count(*) from oauth_flows"))[0] == 0


@pytest.mark.parametrize("url", ["appwrite-callback-shop://", "APPWRITE-CALLBACK-shop://", "shop-app://done/now"])
async def test_s104_apps_of_the_project_are_led_to(visitor: Visitor, api: Api, url: str):
    """The scheme of the project's SDKs, and those that its operator has listed."""
    await change_project(api, redirect_schemes=["shop-app"])
    assert parameters(await visitor.sign_in(TOKENS, success=url)).keys() == {"userId", "secret"}


async def test_s104_the_end_reads_no_address_from_the_wire(visitor: Visitor):
    """The app's addresses were fixed at the start; nothing that comes back with the browser changes them."""
    callback = await visitor.go()
    evil = urlencode({"success": "https://evil.example/", "failure": "https://evil.example/", "project": "mall"})
    assert (await visitor.come_back(f"{callback}&{evil}")).headers["Location"] == HOME


async def test_s104_the_failure_page_shows_nobodys_words(visitor: Visitor):
    """Anybody can write an address of ours: its error is a word that we know, or none."""
    text = json.dumps({"type": "user_blocked", "message": "Call <b>+1 555</b> now", "code": 403})
    page = await visitor.get(f"/auth/oauth2/failure?{urlencode({'project': 'shop', 'error': text})}")
    assert page.status == 200
    assert "This account is blocked" in page.data
    assert "555" not in page.data
    for junk in ("[]", "{", '{"type": 1}', "null", "\x00"):
        page = await visitor.get(f"/auth/oauth2/failure?{urlencode({'project': 'shop', 'error': junk})}")
        assert page.status == 200


async def test_s105_an_undo_puts_identities_back(
    api: Api, provider: IdentityProvider, pool: Pool, settings: Settings, visitor: Visitor
):
    """A thief in a fresh session adds an own identity and removes the owner's: the first notice's link undoes both."""
    await visitor.sign_in()
    await pool.execute("update users set password_hash = 'x'")
    (identity,) = (await visitor.call("GET", "/v1/account/identities")).data["identities"]
    provider.user = dict(EVE)
    assert (await visitor.sign_in()).headers["Location"] == HOME
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    assert (await visitor.call("DELETE", f"/v1/account/identities/{identity['$id']}")).status == 204
    assert await subjects(pool) == ["eve"]
    assert Page((await follow_link(api, address)).data).heading == DONE
    assert await subjects(pool) == ["user-1"]
    assert (await visitor.call("GET", "/v1/account")).status == 401


async def test_s105_an_undo_takes_no_identity_from_another_user(
    api: Api, provider: IdentityProvider, pool: Pool, settings: Settings, visitor: Visitor
):
    """An identity that was removed, and signs another user in by now, stays there."""
    await visitor.sign_in()
    await pool.execute("update users set password_hash = 'x'")
    (identity,) = (await visitor.call("GET", "/v1/account/identities")).data["identities"]
    assert (await visitor.call("DELETE", f"/v1/account/identities/{identity['$id']}")).status == 204
    address = await link(pool, settings, Kind.ACCOUNT_UNDO)
    provider.user["email"] = None
    other = Visitor(api, provider)
    await other.sign_in()
    owner = (await other.account())["$id"]
    assert Page((await follow_link(api, address)).data).heading == DONE
    rows = await pool.fetch("select user_id from identities where removed_at is null")
    assert [row[0] for row in rows] == [owner]


async def subjects(pool: Pool) -> list[str]:
    """Return the subjects of the identities that sign in."""
    rows = await pool.fetch("select subject from identities where removed_at is null order by created_at")
    return [row[0] for row in rows]


@pytest.mark.parametrize("way", [way for way in WAYS if way.kind is not Kind.OAUTH2], ids=lambda way: f"{way.kind}")
async def test_s104_a_token_of_a_sign_in_opens_nothing_else(api: Api, post: Post, ann: str, way: Way):
    """Its secret is no link's and no code's, on any of their routes; nor is theirs one of a sign-in."""
    proof = await post.issue(Kind.OAUTH2, ann)
    if way.path != "/v1/account/sessions/token":
        assert (await use(api, way, proof)).status == 401
    assert (await use(api, WAYS[-1], proof)).status == 201


async def test_s103_a_browser_that_tells_nothing_links_nothing(api: Api, provider: IdentityProvider, pool: Pool):
    """A page may hide its address, and an older browser tells no kind of site: then anybody may have led there."""
    victim = await with_password(api, provider, "victim@example.com")
    provider.user = dict(EVE)
    query = urlencode({"project": "shop", "success": HOME, "failure": AGAIN})
    started = await victim.get(f"{SESSIONS}/oidc?{query}")
    back = await provider.sign_in(started.headers["Location"])
    answer = await victim.come_back(f"{SESSIONS}/callback/oidc/shop?{urlencode(back)}")
    assert error(answer) == (409, "user_already_exists")
    assert (await counts(pool))[2] == 0


async def test_s105_an_address_that_was_proved_long_ago_makes_nobody_its_owner(
    api: Api, provider: IdentityProvider, pool: Pool, settings: Settings, post: Post
):
    """Google proves other domains' addresses once. Whoever reads the mailbox today is alone in the account."""
    await provider.register(pool, settings.key_ring, "shop", "google")
    for number, guest in enumerate((False, True)):
        email, eve = f"victim{number}@company.example", Visitor(api, provider)
        if guest:
            assert (await eve.call("POST", "/v1/account/sessions/anonymous")).status == 201
        provider.user = {"sub": f"eve{number}", "email": email, "email_verified": True}
        assert (await eve.sign_in(name="google")).headers["Location"] == HOME
        user_id = (await eve.account())["$id"]
        owner = await use(api, WAYS[5], await post.issue(Kind.OTP, "", email=email, asked_as=f"asked{number}"))
        assert (owner.status, owner.data["userId"]) == (201, user_id)
        assert (await eve.call("GET", "/v1/account")).status == 401
        assert error(await Visitor(api, provider).sign_in(name="google")) == (400, "general_bad_request")


async def test_a_password_without_an_address_is_no_way_in(visitor: Visitor, api: Api, pool: Pool):
    """Neither is a number that its holder has not proved in the account: the identity is the last way in."""
    visitor.provider.user["email"] = None
    await visitor.sign_in()
    number = await visitor.call("PATCH", "/v1/account/phone", phone="+4915112345678", password="correct horse")
    assert number.status == 200
    (identity,) = (await visitor.call("GET", "/v1/account/identities")).data["identities"]
    for change in ("phone_verified_at = null", "phone_verified_at = now()"):
        await pool.execute(f"update users set {change}")
        assert (await visitor.call("DELETE", f"/v1/account/identities/{identity['$id']}")).status == 400
    await pool.execute("update users set phone_by_holder = true")
    assert (await visitor.call("DELETE", f"/v1/account/identities/{identity['$id']}")).status == 204
