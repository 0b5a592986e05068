"""What of a row each reader may see."""

from typing import TypeVar

from flatbed.tenants.access.principal import Principal
from flatbed.tenants.kit.schemas import Output

STAFF = "staff:"
Shown = TypeVar("Shown", bound=Output)


def actor_shown(actor: str | None, reader: Principal) -> str | None:
    """The actor as the reader sees him: an ISV is not told who of the agency acted."""
    if actor is not None and reader.role.of_isv and actor.startswith(STAFF):
        return None
    return actor


def shown_to(reader: Principal, shown: Shown, *actors: str) -> Shown:
    """The same with the fields that name ``actors`` as the reader sees them."""
    return shown.model_copy(
        update={name: actor_shown(getattr(shown, name), reader) for name in actors}
    )
