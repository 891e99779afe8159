"""AUTH (RFC 4954): by password with a method that the server offers, or by an access token."""

from typing import TYPE_CHECKING

import aiosmtplib

from worker.smtp.smtp_url import SmtpUrl

if TYPE_CHECKING:
    from worker.smtp.oauth import AccessTokens


async def sign_in(smtp: aiosmtplib.SMTP, server: SmtpUrl, tokens: "AccessTokens | None") -> None:
    """Raises what aiosmtplib raises, and TemporaryFailure where no token can be had."""
    if tokens is None:
        await _by_password(smtp, server)
    else:
        await _by_token(smtp, server.username, tokens)


async def _by_password(smtp: aiosmtplib.SMTP, server: SmtpUrl) -> None:
    """One try by the first method that the server has: each wrong one counts towards locking us out.

    Only 504 lets the next be tried: the server offered what it doesn't have, and looked at no password.
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


async def _by_token(smtp: aiosmtplib.SMTP, user: str, tokens: "AccessTokens") -> None:
    """A token may have been withdrawn before its time, so after 535 there is one more try with another."""
    if "xoauth2" not in smtp.server_auth_methods:
        raise aiosmtplib.SMTPNotSupported("the server does not offer AUTH XOAUTH2")
    token = await tokens.get()
    try:
        await smtp.auth_xoauth2(user, token)
    except aiosmtplib.SMTPAuthenticationError as error:
        if error.code != 535 or not tokens.another(token):
            raise
    else:
        return
    await smtp.auth_xoauth2(user, await tokens.get())
