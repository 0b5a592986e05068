"""Field defaults that the bodies of this room share."""

from flatbed.tenants.kit.schemas import unset

__all__ = ["unset"]
