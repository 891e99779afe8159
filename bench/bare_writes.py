"""`python -m bench.bare_writes`: the least that writes what our acts write, to compare ours with.

aiohttp, asyncpg's own pool, orjson; each act is one transaction with the same inserts into the same tables, a
statement each. It asks nobody who he is, checks and limits nothing, hashes no password, enqueues no job, logs nothing.
"""

import uuid
from typing import Any

import asyncpg
import orjson
import uvloop
from aiohttp import web

from bench.ground import AGENT, PROJECT
from bench.programs import Order, obey
from service import ids

_HASH = "$argon2id$v=19$m=19456,t=2,p=1$" + "a" * 22 + "$" + "a" * 43
_ISSUE = """
    insert into tokens (project_id, id, kind, user_id, email, email_version, kid, expires_at)
    values ($1, $2, $3, $4, $5, $6, 'bench', now() + interval '1 hour') returning created_at, expires_at
"""
_MAIL = """
    insert into mails (project_id, id, letter, user_id, token_id, recipient, locale, facts, deadline_at, message_id)
    values ($1, $2, $3, $4, $5, $6, 'en', $7, $8, $9)
"""
_EVENT = """
    insert into events (project_id, id, name, user_id, token_id, ready, ip, user_agent)
    values ($1, $2, $3, $4, $5, $6, '127.0.0.1', $7)
"""
_USER = """
    insert into users (project_id, id, email, password_hash, password_updated_at) values ($1, $2, $3, $4, now())
    returning created_at
"""
_FIND = "select id, password_hash, status from users where project_id = $1 and email = $2"
_SESSION = """
    insert into sessions (project_id, user_id, id, secret_hash, provider, provider_uid, ip, country_code, os_code,
        os_name, os_version, client_type, client_code, client_name, client_version, client_engine,
        client_engine_version, device_name, device_brand, device_model, expires_at)
    values ($1, $2, $3, $4, 'email', $5, '127.0.0.1', '--', 'LIN', 'GNU/Linux', '', 'browser', 'FF', 'Firefox', '130',
        'Gecko', '130', 'desktop', '', '', now() + interval '1 year') returning created_at, expires_at
"""
_ACCESS = "update users set accessed_at = now() where project_id = $1 and id = $2"
_REDEEM = """
    delete from tokens where project_id = $1 and id = $2 and user_id = $3 and expires_at > now()
    returning created_at, expires_at
"""
_CHANGE = """
    update users set password_hash = $3, password_updated_at = now(), updated_at = now(), email_verified = true
    where project_id = $1 and id = $2 returning email
"""
_REVOKE = "delete from tokens where project_id = $1 and kind <> 'disavowal' and (user_id = $2 or email = $3)"
_CLOSE = "delete from sessions where project_id = $1 and user_id = $2"


async def _mailed(db: Any, kind: str, letter: str, email: str, user_id: str | None) -> Any:
    token_id = ids.new()
    token = await db.fetchrow(_ISSUE, PROJECT, token_id, kind, user_id, email, 1 if user_id else None)
    mail_id, facts = uuid.uuid4(), orjson.dumps({"ip": "127.0.0.1", "user_agent": AGENT}).decode()
    message_id = f"<{mail_id.hex}@accounts.example>"
    await db.execute(_MAIL, PROJECT, mail_id, letter, user_id, token_id, email, facts, token["expires_at"], message_id)
    return token_id, token


async def _record(db: Any, name: str, user_id: str | None, token_id: str | None) -> None:
    await db.execute(_EVENT, PROJECT, uuid.uuid4(), name, user_id, token_id, user_id is not None, AGENT)


async def recover(db: Any, body: Any) -> Order:
    token_id, token = await _mailed(db, "recovery", "recovery", body["email"], None)
    await _record(db, "account.recovery.create", None, token_id)
    return {"$id": token_id, "$createdAt": token["created_at"].isoformat(), "expire": token["expires_at"].isoformat()}


async def sign_up(db: Any, body: Any) -> Order:
    user_id = ids.new()
    user = await db.fetchrow(_USER, PROJECT, user_id, body["email"], _HASH)
    await _record(db, "account.create", user_id, None)
    return {"$id": user_id, "email": body["email"], "registration": user["created_at"].isoformat()}


async def sign_in(db: Any, body: Any) -> Order:
    user = await db.fetchrow(_FIND, PROJECT, body["email"])
    session_id = ids.new()
    digest = uuid.uuid4().bytes
    session = await db.fetchrow(_SESSION, PROJECT, user["id"], session_id, digest, body["email"])
    await db.execute(_ACCESS, PROJECT, user["id"])
    await _record(db, "account.sessions.create", user["id"], None)
    return {"$id": session_id, "userId": user["id"], "expire": session["expires_at"].isoformat()}


async def finish_recovery(db: Any, body: Any) -> Order:
    user_id, token_id = body["userId"], body["secret"][:20]
    token = await db.fetchrow(_REDEEM, PROJECT, token_id, user_id)
    user = await db.fetchrow(_CHANGE, PROJECT, user_id, _HASH)
    await db.execute(_REVOKE, PROJECT, user_id, user["email"])
    await db.execute(_CLOSE, PROJECT, user_id)
    await _record(db, "account.recovery.update", user_id, None)
    await _mailed(db, "disavowal", "password_changed", user["email"], user_id)
    return {"$id": token_id, "userId": user_id, "expire": token["expires_at"].isoformat()}


ACTS = {
    ("POST", "/v1/account/recovery"): recover,
    ("POST", "/v1/account"): sign_up,
    ("POST", "/v1/account/sessions/email"): sign_in,
    ("PUT", "/v1/account/recovery"): finish_recovery,
}


async def serve(order: Order) -> Order:
    """Listen on a free port until the process ends; answers the port."""
    pool = await asyncpg.create_pool(order["database"], min_size=order["size"], max_size=order["size"])
    app = web.Application()
    for (method, path), act in ACTS.items():

        async def handle(request: web.Request, act: Any = act) -> web.Response:
            body = orjson.loads(await request.read())
            async with pool.acquire() as connection, connection.transaction():
                answer = await act(connection, body)
            return web.Response(body=orjson.dumps(answer), status=201, content_type="application/json")

        app.router.add_route(method, path, handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return {"port": runner.addresses[0][1]}


if __name__ == "__main__":
    uvloop.run(obey(serve))
