"""How much time has passed, also while the machine slept?

The monotonic clock stands still while a machine is suspended, but a lease, a deadline and what a
provider remembers do not.
"""

import time

# Not every system has it.
_CLOCK: int | None = getattr(time, "CLOCK_BOOTTIME", None)


def steady() -> float:
    """Return seconds since some moment, which nobody can set and no sleep stops."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)
