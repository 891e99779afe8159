"""Methods of today's SDKs for what this service has no part in, with parameters that their SDK lets through.

The answer is the one that the SDKs know for a route that is not there.
"""

from typing import Any

ROUTE = "general_route_not_found"
NOT_SERVED: dict[str, dict[str, Any]] = {
    "createPushTarget": {"targetId": "t", "identifier": "x"},
    "updatePushTarget": {"targetId": "t", "identifier": "x"}, "deletePushTarget": {"targetId": "t"},
}  # fmt: skip
