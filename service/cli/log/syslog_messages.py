"""Messages of syslog (RFC 5424) for rows of the security log."""

import json
import re
import socket
from typing import Any

from service.cli.log.formats import FAILED
from service.store.log_chain import ChainedRow

# Facility 10: security and authorization. Severities: 5 notice, 6 informational.
_AUTHPRIV, _NOTICE, _INFORMATIONAL = 10, 5, 6
# 32473 stands for no enterprise: RFC 5612 keeps it for those that have no number of their own to show.
_ELEMENT = "accounts@32473"
_NAME = re.compile(r"[!-~]{1,255}")


def message(project_id: str, number: int, row: ChainedRow, form: str, line: dict[str, Any]) -> bytes:
    """Make the message of a row; `number` is the event's in the feed, `line` the content in that form.

    MSG is JSON in ASCII, which needs no byte order mark.
    """
    severity = _NOTICE if row.name in FAILED else _INFORMATIONAL
    time = f"{row.at:%Y-%m-%dT%H:%M:%S.%f}Z"
    values = {"project": project_id, "id": str(row.id), "event": row.name, "number": str(number)}
    element = "".join(f' {name}="{_escaped(value)}"' for name, value in values.items())
    header = f"<{_AUTHPRIV * 8 + severity}>1 {time} {_host()} accounts - {form} [{_ELEMENT}{element}]"
    return f"{header} {json.dumps(line, separators=(',', ':'))}".encode()


def _escaped(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", value)


def _host() -> str:
    name = socket.gethostname()
    return name if _NAME.fullmatch(name) else "-"
