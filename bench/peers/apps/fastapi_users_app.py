"""fastapi-users as its documentation sets it up: SQLAlchemy on asyncpg, bearer tokens in the database.

`python fastapi_users_app.py prepare COUNT` makes the schema and the members, `hash COUNT` measures a hash of the
defaults; uvicorn serves `app`.
"""

import asyncio
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

import aiosmtplib
from fastapi import Depends, FastAPI, Request
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users.password import PasswordHelper
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = os.environ["SECRET"]
SMTP_PORT = int(os.environ.get("SMTP_PORT", "0"))
# The algorithm of its defaults at its least cost.
PASSWORDS = PasswordHelper(PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),)))


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    pass


class UserRead(schemas.BaseUser[uuid.UUID]):
    pass


engine = create_async_engine(os.environ["DATABASE_URL"].replace("postgres://", "postgresql+asyncpg://"), pool_size=10)
sessions = async_sessionmaker(engine, expire_on_commit=False)


class Letters:
    """Open connections to the relay, each for one letter at a time."""

    def __init__(self) -> None:
        self.free: asyncio.Queue[aiosmtplib.SMTP] = asyncio.Queue()
        self.running: set[asyncio.Task[None]] = set()

    async def connect(self) -> None:
        for _ in range(5):
            relay = aiosmtplib.SMTP(hostname="127.0.0.1", port=SMTP_PORT, use_tls=False, start_tls=False)
            await relay.connect()
            self.free.put_nowait(relay)

    def send_later(self, recipient: str, link: str) -> None:
        task = asyncio.create_task(self._send(recipient, link))
        self.running.add(task)
        task.add_done_callback(self.running.discard)

    async def _send(self, recipient: str, link: str) -> None:
        letter = EmailMessage()
        letter["From"], letter["To"], letter["Subject"] = "no-reply@peers.example", recipient, "Reset your password"
        letter.set_content(f"Open this link to choose a new password:\n\n{link}\n")
        letter.add_alternative(f'<p>Open <a href="{link}">this link</a> to choose a new password.</p>', subtype="html")
        relay = await self.free.get()
        try:
            await relay.send_message(letter)
        finally:
            self.free.put_nowait(relay)


letters = Letters()


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET

    async def on_after_forgot_password(self, user: User, token: str, request: Request | None = None) -> None:
        if SMTP_PORT:
            letters.send_later(user.email, f"http://localhost/reset?token={token}")


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


async def user_database(opened: AsyncSession = Depends(session)) -> AsyncIterator[Any]:
    yield SQLAlchemyUserDatabase(opened, User)


async def token_database(opened: AsyncSession = Depends(session)) -> AsyncIterator[Any]:
    yield SQLAlchemyAccessTokenDatabase(opened, AccessToken)


async def user_manager(database: Any = Depends(user_database)) -> AsyncIterator[UserManager]:
    yield UserManager(database, PASSWORDS)


def strategy(database: Any = Depends(token_database)) -> DatabaseStrategy[Any, Any, Any]:
    return DatabaseStrategy(database, lifetime_seconds=86_400)


backend = AuthenticationBackend("bearer", BearerTransport("auth/login"), strategy)
fastapi_users = FastAPIUsers[User, uuid.UUID](user_manager, [backend])


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    if SMTP_PORT:
        await letters.connect()
    yield


app = FastAPI(lifespan=lifespan)
app.include_router(fastapi_users.get_auth_router(backend), prefix="/auth")
app.include_router(fastapi_users.get_reset_password_router(), prefix="/auth")
app.include_router(fastapi_users.get_users_router(UserRead, schemas.BaseUserUpdate), prefix="/users")


async def prepare(count: int) -> None:
    """Make the schema and so many members."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    password = PASSWORDS.hash(os.environ["PASSWORD"])
    async with sessions() as opened:
        for number in range(count):
            email = f"member-{number}@example.com"
            opened.add(User(email=email, hashed_password=password, is_active=True, is_verified=True))
        await opened.commit()
    await engine.dispose()


def hash_seconds(count: int) -> float:
    """Measure the processor time of one verification."""
    passwords, password = PasswordHelper(), os.environ["PASSWORD"]
    stored = passwords.hash(password)
    began = time.process_time()
    for _ in range(count):
        passwords.verify_and_update(password, stored)
    return (time.process_time() - began) / count


if __name__ == "__main__":
    order, number = sys.argv[1], int(sys.argv[2])
    if order == "prepare":
        asyncio.run(prepare(number))
    else:
        print(hash_seconds(number))
