"""Export of spans, whose outage is logged as that of any other peer.

The library logs each failed attempt, in its own words and with the URL, whose query may hold a key.
"""

import logging
from typing import Any

from service import endpoints
from service.outages import Outage

_FAULT = "takes no spans: is it running, and is TRACES_URL its address?"


class WatchedExporter:
    """Passes spans on to an exporter of the library, in its processor's thread."""

    def __init__(self, exporter: Any, url: str) -> None:
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._exporter = exporter
        self._outage = Outage(
            endpoints.address(url, 443 if url.startswith("https:") else 80),
            "traces",
            fell="The collector of traces is not available",
            back="The collector of traces is available again",
        )

    def export(self, spans: Any) -> Any:
        result = self._exporter.export(spans)
        if result.name == "SUCCESS":
            self._outage.record_success()
        else:
            self._outage.record_failure(_FAULT)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return bool(self._exporter.force_flush(timeout_millis))
