"""One-time passwords by time (RFC 6238): SHA-1, 30 seconds, six digits. Pure."""

import hmac
from typing import Final

from pyotp import TOTP

SECONDS: Final = 30
DIGITS: Final = 6
WINDOW: Final = 1
"""Steps that a clock may be early or late."""


def accepted_step(secret: str, code: str, at: float, last: int | None) -> int | None:
    """The time step whose code this is, to be stored as the last one; None: it is not accepted.

    A code is good once: none of a step up to ``last`` is. Two requests with one code may both
    come here; only the store decides which was first.

    Args:
        secret: base 32.
        code: as typed; spaces do not count.
        at: seconds since 1970.
        last: the step of the last code that was accepted.
    """
    typed = "".join(code.split())
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    now = int(at) // SECONDS
    otp = TOTP(secret, digits=DIGITS, interval=SECONDS)
    found: int | None = None
    # All are compared, in constant time each: the time does not tell which one it was.
    for step in range(now - WINDOW, now + WINDOW + 1):
        is_it = hmac.compare_digest(otp.generate_otp(step).encode(), typed.encode())
        if is_it and (last is None or step > last):
            found = step
    return found
