"""Addresses of databases: one shape (`postgresql://…`) for asyncpg, SQLAlchemy and people."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from sqlalchemy.engine import URL, make_url

if TYPE_CHECKING:
    Plain: TypeAlias = asyncpg.Connection[asyncpg.Record]
    """A connection without our hooks."""
else:
    Plain = asyncpg.Connection  # generic in its stubs only


class BadAddressError(ValueError):
    """It is not a PostgreSQL URL."""


def plain(url: str) -> str:
    """Return the URL with the scheme that asyncpg and libpq read, whatever driver it names.

    Raises `BadAddressError` when it is not a PostgreSQL URL.
    """
    scheme, colon, rest = url.partition("://")
    if not colon or scheme.partition("+")[0] not in {"postgres", "postgresql"}:
        raise BadAddressError("a PostgreSQL address starts with postgresql://")
    try:
        _ = urlsplit(url).port
    except ValueError:
        raise BadAddressError("the port of a PostgreSQL address is a number") from None
    return f"postgresql://{rest}"


def for_sqlalchemy(url: str) -> URL:
    """Return the URL for SQLAlchemy's asyncpg dialect."""
    return make_url(plain(url)).set(drivername="postgresql+asyncpg")


def with_database(url: str, database: str) -> str:
    """Return the URL with another database, everything else as it was."""
    return urlunsplit(urlsplit(plain(url))._replace(path=f"/{quote(database, safe='')}"))


def with_login(url: str, role: str, password: str) -> str:
    """Return the URL with another role and its password."""
    parts = urlsplit(plain(url))
    hosts = parts.netloc.rpartition("@")[2]
    login = f"{quote(role, safe='')}:{quote(password, safe='')}"
    return urlunsplit(parts._replace(netloc=f"{login}@{hosts}"))


async def connect(
    url: str, *, settings: Mapping[str, str] | None = None, seconds: float = 60.0
) -> Plain:
    """Open one plain connection, for administration and checks; requests never use it.

    Args:
        url: the database.
        settings: sent as the connection's start parameters.
        seconds: to wait for the server; then TimeoutError.
    """
    wanted = None if settings is None else dict(settings)
    return await asyncpg.connect(plain(url), server_settings=wanted, timeout=seconds)
