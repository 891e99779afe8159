"""`python -m testkit.compressed`: a worker whose waits between two tries are shorter by WAITS_DIVISOR.

All else is as it is: the breaker and its probes, deadlines, leases. For outages of half an hour in a minute.
"""

import os
import sys

from worker import outcomes
from worker.__main__ import main

if __name__ == "__main__":
    divisor = float(os.environ["WAITS_DIVISOR"])
    outcomes.WAITS = tuple(seconds / divisor for seconds in outcomes.WAITS)
    sys.exit(main())
