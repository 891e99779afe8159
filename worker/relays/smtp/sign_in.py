"""Sign in by AUTH (RFC 4954): by password with a method that the server offers, or by an access token."""

import aiosmtplib

from worker.relays.smtp.oauth import AccessTokens
from worker.relays.smtp_url import SmtpUrl


async def sign_in(smtp: aiosmtplib.SMTP, server: SmtpUrl, tokens: AccessTokens | None) -> None:
    """Sign in. Raises aiosmtplib's errors, and TemporaryFailure if there is no access token."""
    if tokens is None:
        await _by_password(smtp, server)
    else:
        await _by_token(smtp, server.username, tokens)


async def _by_password(smtp: aiosmtplib.SMTP, server: SmtpUrl) -> None:
    """Try the first method that the server offers, once: each wrong password counts towards a lockout.

    Only after 504 the next is tried: the server lacks that method, and has checked no password.
    """
    methods = {"plain": smtp.auth_plain, "login": smtp.auth_login, "cram-md5": smtp.auth_crammd5}
    offered = [method for name, method in methods.items() if name in smtp.server_auth_methods]
    if not offered:
        raise aiosmtplib.SMTPNotSupported("the server offers none of AUTH PLAIN, LOGIN and CRAM-MD5")
    for method in offered:
        try:
            await method(server.username, server.password)
        except aiosmtplib.SMTPAuthenticationError as error:
            if error.code != 504 or method is offered[-1]:
                raise
        else:
            return


async def _by_token(smtp: aiosmtplib.SMTP, user: str, tokens: AccessTokens) -> None:
    """Try a token, and after 535 one more: it may have been revoked before its time."""
    if "xoauth2" not in smtp.server_auth_methods:
        raise aiosmtplib.SMTPNotSupported("the server does not offer AUTH XOAUTH2")
    token = await tokens.get()
    try:
        await smtp.auth_xoauth2(user, token)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code != 535 or not tokens.discard(token):
            raise
    else:
        return
    await smtp.auth_xoauth2(user, await tokens.get())
