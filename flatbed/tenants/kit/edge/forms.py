"""HTML forms and queries, read strictly: each name once, and no more than there is need for."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

LARGEST: Final = 16_384
MOST_FIELDS: Final = 32
FORM: Final = "application/x-www-form-urlencoded"


class MalformedFormError(ValueError):
    """It is no form, is too large, or names something twice, of which one would be passed over."""


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a form in the body; empty ones are kept.

    Raises:
        MalformedFormError: it is none that we take.
    """
    kinds = request.headers.getlist("content-type")
    if [kind.partition(";")[0].strip().lower() for kind in kinds] != [FORM]:
        raise MalformedFormError
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise MalformedFormError
    try:
        return read_pairs(body.decode())
    except UnicodeDecodeError:
        raise MalformedFormError from None


def read_query(request: Request) -> dict[str, str]:
    """The parameters of the query.

    Raises:
        MalformedFormError: it is too long or names something twice.
    """
    query = request.scope["query_string"]
    if len(query) > LARGEST or not query.isascii():
        raise MalformedFormError
    return read_pairs(query.decode())


def read_pairs(text: str) -> dict[str, str]:
    """The pairs of a form-encoded text.

    Raises:
        MalformedFormError: it is malformed or names something twice.
    """
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="strict")
    except ValueError:
        raise MalformedFormError from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedFormError
    return found


def given(fields: Mapping[str, str], name: str) -> str:
    """A field's value, empty where it was not sent."""
    return fields.get(name, "")
