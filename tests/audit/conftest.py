"""A realm for the audit trail's tests."""

from tests.support.world import world

__all__ = ["world"]
