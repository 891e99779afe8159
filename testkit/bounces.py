"""Mails as mail servers send them back, in the forms of RFC 3464 and RFC 5965; and how they hand them over."""

import asyncio
import smtplib
from email.message import EmailMessage


def dsn(to: str, recipient: str, *, action: str = "failed", status: str = "5.1.1", diagnostic: str = "") -> bytes:
    """Write a delivery status notification as Postfix does."""
    return f"""From: MAILER-DAEMON@mx.example.net
To: {to}
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b1"

--b1
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--b1
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Mon, 30 Nov 2026 08:00:00 +0000

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {diagnostic or f"550 {status} <{recipient}> unknown"}

--b1
Content-Type: text/rfc822-headers

Return-Path: <{to}>
Subject: Reset your password

--b1--
""".replace("\n", "\r\n").encode()


def arf(to: str, return_path: str, recipient: str = "") -> bytes:
    """Write an abuse report as a feedback loop does; many leave the recipient out."""
    named = f"Original-Rcpt-To: <{recipient}>\n" if recipient else ""
    return f"""From: complaints@isp.example.net
To: {to}
Subject: FW: Reset your password
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="b1"

--b1
Content-Type: text/plain

This is an email abuse report.

--b1
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Reporter/1.0
Version: 1
Original-Mail-From: <{return_path}>
{named}
--b1
Content-Type: message/rfc822

From: no-reply@accounts.test
Subject: Reset your password

Text.

--b1--
""".encode()


def qmail(to: str, recipient: str) -> bytes:
    """Write a bounce as qmail does, in no standard's form."""
    return f"""From: MAILER-DAEMON@qmail.example.net
To: {to}
Subject: failure notice

Hi. This is the qmail-send program at qmail.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{recipient}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Return-Path: <{to}>
""".encode()


def automatic_reply(to: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "ann@example.com", to, "Out of office"
    message.set_content("I am back on Monday.")
    return bytes(message)


def nested(depth: int) -> bytes:
    """Write multiparts in multiparts."""
    heads = "".join(f'Content-Type: multipart/mixed; boundary="b{level}"\n\n--b{level}\n' for level in range(depth))
    return f"From: a@example.net\n{heads}\nend\n".encode()


async def hand_over(port: int, to: str, raw: bytes) -> tuple[int, str]:
    """Deliver a mail to an LMTP listener as a mail server does; return its answer."""

    def deliver() -> tuple[int, str]:
        with smtplib.LMTP("127.0.0.1", port) as client:
            client.ehlo()
            client.mail("")
            code, text = client.rcpt(to)
            if code == 250:
                code, text = client.data(raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
            return code, text.decode()

    return await asyncio.to_thread(deliver)
