"""``python -m bench.dot.verify < token``: verify a bearer token as its views do.

Prints microseconds of a call as JSON, those of the best of some short batches. The connection to
the database stays.
"""

import json
import sys
import time
from importlib.metadata import version

import django

BATCHES = 50
CALLS = 10


def main() -> None:
    """Verify, and print."""
    token = sys.stdin.readline().strip()
    django.setup()
    # Models exist only after the set-up.
    from django.test import RequestFactory  # noqa: PLC0415 - as said above
    from oauth2_provider.oauth2_backends import get_oauthlib_core  # noqa: PLC0415 - as said above

    core = get_oauthlib_core()
    request = RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {token}", HTTP_HOST="127.0.0.1")
    for _ in range(50):
        valid, _found = core.verify_request(request, scopes=["read"])
        if not valid:
            raise SystemExit("the token is not taken")
    found = []
    for _ in range(BATCHES):
        began = time.perf_counter()
        for _ in range(CALLS):
            core.verify_request(request, scopes=["read"])
        found.append((time.perf_counter() - began) / CALLS)
    versions = {name: version(name) for name in ("django", "django-oauth-toolkit", "psycopg")}
    sys.stdout.write(json.dumps({"verified": min(found) * 1e6, "versions": versions}))


if __name__ == "__main__":
    main()
