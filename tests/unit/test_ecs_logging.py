"""LOG_FORMAT=ecs: lines that Elasticsearch takes without a pipeline."""

import json
import logging
import os
from pathlib import Path

import pytest

from service import json_logging
from service.version import VERSION


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """A log in this format; the root logger is as before afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with (tmp_path / "log").open("w") as stream:
        json_logging.configure_logging(stream, form="ecs")
        yield tmp_path / "log"
    root.handlers[:], root.level = handlers, level


def last(path: Path) -> dict[str, object]:
    return json.loads(path.read_text().splitlines()[-1])


def test_a_request(lines: Path):
    """Method, status, client, duration and outcome are fields of ECS; what it has no field for is below `accounts.`."""
    facts = {"event": "request.handled", "method": "POST", "route": "create_session", "status": 401,
             "type": "user_invalid_credentials", "ms": 12.5, "project": "shop", "key": None,
             "ip": "192.0.2.1"}  # fmt: skip
    token = json_logging.REQUEST_ID.set("5f3a")
    logging.getLogger("service.access").info("The request was handled", extra=facts)
    json_logging.REQUEST_ID.reset(token)
    line = last(lines)
    assert list(line)[:3] == ["@timestamp", "log.level", "message"]
    del line["@timestamp"]
    assert line == {
        "log.level": "info", "message": "The request was handled", "ecs.version": "8.11.0",
        "service.name": "accounts", "service.version": VERSION, "log.logger": "service.access",
        "event.action": "request.handled", "event.outcome": "failure", "event.duration": 12_500_000,
        "http.request.id": "5f3a", "http.request.method": "POST", "http.response.status_code": 401,
        "client.ip": "192.0.2.1", "accounts.route": "create_session", "accounts.type": "user_invalid_credentials",
        "accounts.ms": 12.5, "accounts.project": "shop",
    }  # fmt: skip


def test_an_error(lines: Path):
    """Class and frames of an error, as everywhere without its text; a mail's `status` is no status of HTTP."""
    try:
        raise ValueError("secret")  # noqa: TRY301 - it is caught to be logged
    except ValueError:
        logging.getLogger("worker").exception("It failed", extra={"event": "a.b", "status": "new"})
    line = last(lines)
    assert line["error.type"] == "ValueError"
    assert str(line["error.stack_trace"]).startswith("test_ecs_logging.py:")
    assert line["accounts.status"] == "new"
    assert "secret" not in lines.read_text()


def test_dropped_lines_are_told_in_the_same_form(tmp_path: Path):
    """The line that counts the lost ones is one of ECS, too."""
    handler = json_logging.CountingHandler(os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY), json_logging.EcsLines())
    handler._drop()
    handler.emit(logging.makeLogRecord({"msg": "next", "name": "x", "levelname": "INFO"}))
    os.close(handler._file)
    first, _ = (json.loads(line) for line in (tmp_path / "log").read_text().splitlines())
    assert (first["event.action"], first["accounts.count"]) == ("logging.lines_dropped", 1)
