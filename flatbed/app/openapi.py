"""The OpenAPI document as a product: security, headers and problems on every operation.

The document is made from the routes and the permission table, and committed as
``openapi/openapi.json``; the check fails on a difference.
"""

import copy
import threading
from typing import Any, Final

from fastapi import FastAPI

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import HunterBinding, OperationPlane, Permission
from flatbed.tenants.access.principal import Role
from flatbed.tenants.access.require import TENANT_HEADER
from flatbed.tenants.access.scopes import IDENTITY_SCOPES, SCOPES
from flatbed.tenants.kit.http import NEEDED, PROBLEM_TYPE, FieldErrorBody, ProblemBody

VERSION = "1.0.0"
DESCRIPTION = """\
Flatbed finds channel partners for software vendors (ISVs): an ISV orders a campaign, the agency's
hunters work partner candidates through an evidence-gated pipeline, and every qualified partner is
metered and billed.

Errors are problem documents (RFC 9457) with a stable `code`. Unsafe POSTs take an
`Idempotency-Key`. Lists are keyset pages. Enumerations may gain values.

Machines get tokens as themselves (client credentials); applications of people by authorization
code with PKCE (S256). A token is of one ISV, or of the agency. Where `x-step-up` stands, a person
must have proved within 15 minutes who he is; machines are not asked.
"""
TOKEN_URL: Final = "/oauth/token"  # noqa: S105 - an address
METHODS = ("get", "post", "put", "patch", "delete")
STATUS_TEXT = {
    "400": "The request is malformed.",
    "401": "No valid access token; or `step-up-required`: the person must prove anew who he is.",
    "403": "The token lacks the scope, or the operation is not for this principal.",
    "404": "No such thing for this caller.",
    "408": "The body did not arrive in time.",
    "409": "The state forbids it.",
    "412": "The resource has changed since it was read.",
    "413": "The body is too large.",
    "414": "Path and query are too long.",
    "422": "The request breaks a rule; `errors` names each place.",
    "428": "If-Match is missing.",
    "431": "The headers are too large.",
    "503": "The service is busy.",
}

FRESH: Final = frozenset({"create_payment_setup", "create_portal_session"})
"""A page of the payment provider is short-lived and changes nothing of ours: repeated, the request
answers with a fresh one, never with one that has ended."""


def install(app: FastAPI) -> None:
    """Make ``app.openapi()`` return our document; of several threads that ask, one makes it."""
    made, making = app.openapi, threading.Lock()
    finished: dict[str, Any] | None = None

    def document() -> dict[str, Any]:
        nonlocal finished
        with making:
            if finished is None:
                # A copy: FastAPI keeps its own where others may read it.
                finished = app.openapi_schema = _finish(copy.deepcopy(made()))
            return finished

    app.openapi = document  # type: ignore[method-assign]  # FastAPI's documented way to extend it


def _finish(document: dict[str, Any]) -> dict[str, Any]:
    document["info"] = {
        "title": "Flatbed",
        "version": VERSION,
        "description": DESCRIPTION,
        "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
    }
    document["servers"] = [{"url": "/"}]
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    template = "#/components/schemas/{model}"
    for model in (FieldErrorBody, ProblemBody):
        schema = model.model_json_schema(mode="serialization", ref_template=template)
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    components["responses"] = {f"Problem{status}": _problem(status) for status in STATUS_TEXT}
    components["securitySchemes"] = {
        "oauth": {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {"tokenUrl": TOKEN_URL, "scopes": _named(SCOPES)},
                "authorizationCode": {
                    "authorizationUrl": "/oauth/authorize",
                    "tokenUrl": TOKEN_URL,
                    "refreshUrl": TOKEN_URL,
                    "scopes": _named(SCOPES | IDENTITY_SCOPES),
                },
            },
        }
    }
    for item in document["paths"].values():
        for method in METHODS:
            if method in item:
                _operation(method, item[method])
    return document


def _named(scopes: frozenset[str]) -> dict[str, str]:
    return {scope: scope for scope in sorted(scopes)}


def _operation(method: str, operation: dict[str, Any]) -> None:
    operation.get("responses", {}).pop("422", None)
    permission = PERMISSIONS.rows.get(operation["operationId"])
    if permission is None:
        operation["security"] = []
        return
    operation["security"] = [{"oauth": [scope]} for scope in permission.scopes]
    operation["x-principals"] = sorted(role.value for role in permission.roles)
    if permission.step_up:
        operation["x-step-up"] = True
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        if parameter["schema"].pop(NEEDED, False):
            parameter["required"] = True
            parameter["schema"] = {"type": "string"}
    keyed = method == "post" and operation["operationId"] not in FRESH
    parameters += list(_headers(permission, keyed=keyed))
    for status in _statuses(method, operation):
        operation["responses"][status] = {"$ref": f"#/components/responses/Problem{status}"}


def _headers(permission: Permission, *, keyed: bool) -> list[dict[str, Any]]:
    found = []
    if permission.plane is not OperationPlane.AGENCY:
        found.append(
            _header(
                TENANT_HEADER,
                "The ISV that agency staff or an agency's client act for. An ISV's own client or "
                "member may leave it out; a hunter's assignment names it.",
                {"type": "string", "pattern": "^org_[0-7][0-9a-hjkmnp-tv-z]{25}$"},
            )
        )
    if keyed:
        found.append(
            _header(
                "Idempotency-Key",
                "Repeat the request with the same key and it takes effect once (7 days).",
                {"type": "string", "pattern": "^[!-~]{1,255}$"},
            )
        )
    return found


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": schema,
    }


def _statuses(method: str, operation: dict[str, Any]) -> list[str]:
    found = {p["name"]: p["required"] for p in operation["parameters"]}
    has_body = "requestBody" in operation
    return [
        "400",
        "401",
        "403",
        "404",
        *(["408"] if has_body else []),
        *(["409"] if method != "get" else []),
        *(["412"] if "if-match" in found else []),
        *(["413"] if has_body else []),
        "414",
        "422",
        *(["428"] if found.get("if-match") else []),
        "431",
        "503",
    ]


def _problem(status: str) -> dict[str, Any]:
    return {
        "description": STATUS_TEXT[status],
        "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
    }


def permission_page() -> str:
    """The permission table as Markdown, for ``docs/reference/permissions.md``."""
    roles = list(Role)
    lines = [
        "# Permissions",
        "",
        "Made from `flatbed/app/permissions.toml` by `flatbed openapi`.",
        "`candidate` and `campaign` say which live assignment binds a hunter. Where step-up says",
        "yes, a person must have proved within 15 minutes who he is; machines are not asked.",
        "",
        f"| operation | scope | plane | step-up | {' | '.join(role.value for role in roles)} |",
        "|---|---|---|---|" + "---|" * len(roles),
    ]
    for row in PERMISSIONS:
        cells = [_cell(row, role) for role in roles]
        scopes = " or ".join(f"`{scope}`" for scope in row.scopes)
        start = f"| `{row.operation}` | {scopes} | {row.plane} | {'yes' if row.step_up else ''} | "
        lines.append(f"{start}{' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(row: Permission, role: Role) -> str:
    if role not in row.roles:
        return ""
    if role is Role.HUNTER and row.hunter is not HunterBinding.SELF:
        return str(row.hunter)
    return "yes"
