"""A world with a door for the people whom it invites."""

import pytest

from flatbed.tenants.kit.database.urls import Plain
from tests.api.support import World
from tests.people.door import Door


@pytest.fixture
def door(world: World, admin_connection: Plain) -> Door:
    """The door of this world."""
    return Door(world, admin_connection)
