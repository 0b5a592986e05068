"""A realm for the kernel's tests."""

from tests.support.world import world

__all__ = ["world"]
