"""The candidate that every test of this room starts from."""

from tests.candidates.records_world import room

__all__ = ["room"]
