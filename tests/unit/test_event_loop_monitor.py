"""Delays of the event loop, kept away before they happen."""

import gc

from service.event_loop_monitor import spare_startup


def test_what_start_made_is_walked_by_no_round_of_the_collector():
    """In a hash's thread of low priority a full round stops the process for seconds on a busy machine."""
    gc.unfreeze()
    try:
        spare_startup()
        assert gc.get_freeze_count() > 10_000
    finally:
        spare_startup()
