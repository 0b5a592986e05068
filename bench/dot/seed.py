"""``python -m bench.dot.seed``: make the tables and two clients, and print them as JSON.

``hashed`` is what the toolkit makes unless told, ``plain`` is compared as it is.
"""

import json
import sys

import django
from django.core.management import call_command


def main() -> None:
    """Migrate, make the clients, print."""
    django.setup()
    call_command("migrate", verbosity=0)
    # Models exist only after the set-up.
    from oauth2_provider.models import get_application_model  # noqa: PLC0415 - as said above

    made = {}
    for name, hashed in (("hashed", True), ("plain", False)):
        client = get_application_model()(
            name=name,
            client_type="confidential",
            authorization_grant_type="client-credentials",
            hash_client_secret=hashed,
        )
        made[name] = [client.client_id, client.client_secret]
        client.save()
    sys.stdout.write(json.dumps(made))


if __name__ == "__main__":
    main()
