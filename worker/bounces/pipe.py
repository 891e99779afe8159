"""`python -m worker bounces`: take in one mail from standard input, as a mail server's pipe hands it over.

Exit codes are those of sysexits.h, which mail servers read: 0 done, or nothing to do, 65 refused for good, 75
try again.
"""

import asyncio
import sys
from typing import BinaryIO

from service.db import Pool
from service.settings import InvalidSettings, Settings
from worker.bounces.bounce_mail import MOST_BYTES, UnreadableBounce
from worker.bounces.intake import BounceIntake, ForeignBounce
from worker.bounces.return_path import ReturnPath

DONE, REFUSED, TRY_AGAIN = 0, 65, 75


def run(recipients: list[str], source: BinaryIO | None = None) -> int:
    """Read settings and mail, record it, and return the exit code."""
    raw = (source or sys.stdin.buffer).read(MOST_BYTES + 1)
    try:
        settings = Settings.read()
    except InvalidSettings as unfit:
        return _end(str(unfit), TRY_AGAIN)
    if not settings.bounce_address:
        return _end("BOUNCE_ADDRESS is not set", TRY_AGAIN)
    try:
        return asyncio.run(_take(settings, raw, recipients))
    except (UnreadableBounce, ForeignBounce) as refusal:
        return _end(str(refusal), REFUSED)
    except Exception as error:  # noqa: BLE001 - the mail server keeps it, and nothing is lost
        return _end(f"it could not be recorded: {type(error).__name__}", TRY_AGAIN)


async def _take(settings: Settings, raw: bytes, recipients: list[str]) -> int:
    pool = Pool(settings.database_url.get_secret_value(), size=1, name="accounts-bounces")
    try:
        path = ReturnPath(settings.bounce_address, settings.key_ring)
        intake = BounceIntake(pool, path, settings.key_ring, settings.suppression_days)
        report = await intake.take(raw, recipients)
    finally:
        await pool.close()
    print(f"{report.outcome}: {report.mail_id}" if report else "no report")  # noqa: T201 - a command line prints
    return DONE


def _end(words: str, code: int) -> int:
    print(words, file=sys.stderr)  # noqa: T201 - as above
    return code
