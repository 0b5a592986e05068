"""The program behind a socket, as foreign clients see it."""

from tests.oauth.independent.desk import desk
from tests.support.served import served

__all__ = ["desk", "served"]
