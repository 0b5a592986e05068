"""A realm for the sandbox's tests."""

from tests.support.world import world

__all__ = ["world"]
