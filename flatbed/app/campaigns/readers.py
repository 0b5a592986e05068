"""What of a row each reader may see."""

from flatbed.tenants.access.principal import Principal, Role

STAFF = "staff:"


def actor_shown(actor: str | None, reader: Principal) -> str | None:
    """The actor as the reader sees him: an ISV is not told who of the agency acted."""
    if actor is not None and reader.role is Role.ISV_CLIENT and actor.startswith(STAFF):
        return None
    return actor
