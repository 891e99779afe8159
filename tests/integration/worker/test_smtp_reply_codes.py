"""Replies of real relays, judged one by one; the table is tests/integration/worker/data/replies.toml."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from worker.relays import DeliveryFailure, PermanentFailure
from worker.relays.smtp.reply_codes import of_reply

ROWS: list[dict[str, Any]] = [
    {"provider": provider, **row}
    for provider, table in tomllib.loads((Path(__file__).parent / "data/replies.toml").read_text()).items()
    for row in table["replies"]
]
PROVIDERS = {
    "ses", "office365", "google", "postmark", "mailgun", "sendgrid", "sparkpost", "mailjet", "brevo", "ovh", "exim",
    "postfix", "cpanel", "others",
}  # fmt: skip


def verdict(fault: DeliveryFailure) -> str:
    """In the words of the table."""
    if isinstance(fault, PermanentFailure):
        return "final"
    if fault.suspected:
        return "wait-suspected"
    return "pace" if fault.cause == "pace" else f"wait-{fault.cause}"


@pytest.mark.parametrize("row", ROWS, ids=[f"{row['provider']}-{row['at']}-{row['says'][:40]}" for row in ROWS])
def test_a_real_reply_is_judged(row: dict[str, Any]) -> None:
    """Final is only what speaks of the recipient; rate and quota slow us down; the rest waits."""
    code, _, text = row["says"].partition(" ")
    fault = of_reply(int(code), text, row["at"])
    assert (verdict(fault), fault.code, fault.stage) == (row["verdict"], int(code), row["at"])


def test_each_row_has_its_source() -> None:
    """Each reply of the relays that people use has its source, and none stands twice."""
    assert {row["provider"] for row in ROWS} == PROVIDERS
    assert len({(row["provider"], row["at"], row["says"]) for row in ROWS}) == len(ROWS)
    assert all(row["from"] for row in ROWS)
