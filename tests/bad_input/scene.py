"""A valid request of every operation, made so that a value put into it reaches the bottom."""

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any
from urllib.parse import quote

from flatbed.app.permissions import PERMISSIONS
from flatbed.tenants.access.permissions import OperationPlane
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.clock import system_now
from flatbed.tenants.kit.ids import encode
from tests.api.support import Client, World
from tests.bad_input import clients, reports
from tests.bad_input.asgi import Asked
from tests.bad_input.corpus import Value
from tests.bad_input.fuller import FULLER
from tests.bad_input.places import FORM, TOKEN, WHOLE, Place, planted, reached
from tests.bad_input.versions import Versions
from tests.candidates.factory import Site, Worked, site
from tests.isolation.attack import path_of
from tests.isolation.document import Operation, operations
from tests.isolation.estate import Estate, settle
from tests.isolation.samples import BODIES
from tests.qualifications.factory import ANSWER, DISPUTE, qualify
from tests.qualifications.stock import stock
from tests.qualifications.waiting.line import full

OPERATIONS = {operation.id: operation for operation in operations()}
MARK = "place-of-the-value"
CLOCK = "advance_sandbox_clock"
# Who may most; the ISV before the agency's client, whose tokens also open the agency plane.
ASKING = (
    Role.LEAD,
    Role.ISV_CLIENT,
    Role.COMPLIANCE,
    Role.FINANCE,
    Role.AGENCY_CLIENT,
    Role.HUNTER,
)
_numbers = count(1)

DOCUMENT = {"kind": "document", "description": "d"}
# Where the isolation tests' samples are good enough to be refused late, and not to be taken.
VALID: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
    "order_campaign": lambda _: {},
    "create_touchpoint": lambda i: {
        "side": "agency",
        "class": "push",
        "channel": "email",
        "contact_id": i["cont"],
        "occurred_at": _ago(minutes=2),
    },
    "lower_touchpoint": lambda i: {"elicited_by": i["push"], "reason": "r"},
    "audit_touchpoint": lambda _: {"class": "P1", "source_seen": "s"},
    "create_plan_version": lambda i: {
        "fields": [
            {
                "name": "start_date",
                "value": "2027-03-01",
                "author": "partner",
                "source_touchpoint_id": i["touch"],
            }
        ]
    },
    "dispute_qualification": lambda _: DISPUTE,
    "answer_dispute": lambda _: ANSWER | {"evidence": [DOCUMENT]},
    "merge_company_group": lambda i: {"into": i["into"]},
    **reports.VALID,
}


def _ago(**delta: float) -> str:
    return (system_now() - timedelta(**delta)).isoformat()


@dataclass
class Scene:
    """An estate, somebody who may call each operation, and spare things to spoil."""

    world: World
    estate: Estate
    site: Site
    people: dict[Role, Client]
    own: dict[str, dict[str, str]] = field(default_factory=dict)
    """By operation: ids of things made for it alone, because a success uses them up."""
    versions: Versions = field(default_factory=Versions)

    async def renew(self, operation: str) -> None:
        """Make what the operation uses up once more."""
        if operation in RENEWING:
            self.own[operation] = await RENEWING[operation](self)

    def ids(self, operation: str) -> dict[str, str]:
        """The ids to use, by prefix."""
        return {**self.estate.ids, **self.own.get(operation, {})}

    def client(self, operation: str) -> Client:
        """Who asks."""
        permission = PERMISSIONS[operation]
        role = next(role for role in ASKING if role in permission.roles)
        client = self.people[role]
        outside = role not in {Role.ISV_CLIENT, Role.HUNTER}
        if outside and permission.plane is not OperationPlane.AGENCY:
            return client.acting_for(self.estate.isv.id)
        return client

    def bodies(self, operation: Operation) -> list[Any]:
        """Valid bodies, new ones each time."""
        if not operation.has_body:
            return []
        more = FULLER.get(operation.id)
        ids = self.ids(operation.id)
        found = BODIES[operation.id](ids)
        if operation.id in VALID:
            found = [VALID[operation.id](ids), *found]
        return [_fresh(body) for body in [*found, *([_merged(found[0], more)] if more else [])]]


async def set_up(world: World) -> Scene:
    """The whole of it."""
    estate = await settle(world, domain="bad-input.example")
    people = {
        Role.ISV_CLIENT: estate.isv.client,
        Role.HUNTER: estate.hunter.client,
        Role.AGENCY_CLIENT: world.admin,
    }
    for role in (Role.LEAD, Role.COMPLIANCE, Role.FINANCE):
        people[role] = (await world.staff(role.value)).client
    return Scene(world, estate, await site(world, isv=estate.isv, quantity=100_000), people)


def _fresh(body: Any) -> Any:
    """Names that must be unique are."""
    if isinstance(body, list):
        return [_fresh(item) for item in body]
    if not isinstance(body, dict):
        return body
    found = {name: _fresh(member) for name, member in body.items()}
    if isinstance(found.get("email"), str):
        found["email"] = f"{next(_numbers)}-{found['email']}"
    if isinstance(found.get("domain"), str):
        found["domain"] = f"{next(_numbers)}-{found['domain']}"
    if isinstance(found.get("slug"), str):
        found["slug"] = f"{found['slug']}-{next(_numbers)}"
    if found.get("code") == "more":
        found["code"] = f"more-{next(_numbers)}"
    return found


def _merged(body: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    merged = {
        name: {**body[name], **member} if isinstance(member, dict) and name in body else member
        for name, member in more.items()
    }
    return {**body, **merged}


def request_of(scene: Scene, place: Place, value: Value | None) -> Asked:
    """The valid request, with the value at the place (or just as it is)."""
    if place.operation == TOKEN:
        return _token_request(scene, place, value)
    operation = OPERATIONS[place.operation]
    client = scene.client(operation.id)
    path = path_of(operation, scene.ids(operation.id))
    headers = {"authorization": f"Bearer {client.token}"}
    if client.tenant is not None:
        headers["flatbed-tenant"] = client.tenant
    if operation.conditional:
        headers["if-match"] = scene.versions.of(path)
    query, body = "", b""
    bodies = scene.bodies(operation)
    if bodies:
        headers["content-type"] = "application/json"
        body = json.dumps(bodies[0]).encode()
    if value is not None and place.where == "path":
        template = operation.path.replace(f"{{{place.name}}}", quote(value.text, safe=""))
        path = path_of(
            Operation(operation.id, operation.method, template, operation.slots, *_REST),
            scene.ids(operation.id),
        )
    elif value is not None and place.where == "query":
        query = f"{quote(place.name)}={quote(value.text, safe='')}"
    elif value is not None and place.where == "body":
        body = _body(bodies, place.name, value.token)
    elif value is not None and place.where == "member":
        body = b"{" + value.token + b": 1, " + body[1:]
    sent = {name: text.encode() for name, text in headers.items()}
    if value is not None and place.where == "header":
        sent[place.name] = value.text
    return Asked(
        operation.method, path, query, tuple((n.encode(), v) for n, v in sent.items()), body
    )


_REST = (False, False)


def _body(bodies: list[Any], name: str, token: bytes) -> bytes:
    """A body that has the place, with the value's own bytes there."""
    if name == WHOLE:
        return token
    body = next((body for body in bodies if reached(body, name)), bodies[0])
    return json.dumps(planted(body, name, MARK)).encode().replace(f'"{MARK}"'.encode(), token)


def _token_request(scene: Scene, place: Place, value: Value | None) -> Asked:
    client = scene.estate.isv.client
    form = {
        "grant_type": b"client_credentials",
        "client_id": client.client_id.encode(),
        "client_secret": client.secret.encode(),
    }
    headers = {"content-type": b"application/x-www-form-urlencoded"}
    if value is not None and place.name in FORM:
        form[place.name] = value.text
    if value is not None and place.where == "header":
        pair = base64.b64encode(f"{client.client_id}:{client.secret}".encode())
        form = {"grant_type": form["grant_type"]}
        headers["authorization"] = b"Basic " + pair
        headers[place.name] = value.text
    body = "&".join(f"{name}={quote(text, safe='')}" for name, text in form.items()).encode()
    if value is not None and (place.where, place.name) == ("form", WHOLE):
        body = value.text
    return Asked(
        "POST", "/oauth/token", "", tuple((n.encode(), v) for n, v in headers.items()), body
    )


async def _worked(scene: Scene) -> Worked:
    (worked,) = await stock(scene.site)
    return worked


async def _qualification(scene: Scene) -> dict[str, str]:
    return {"qual": (await qualify(await _worked(scene))).id}


async def _disputed(scene: Scene) -> dict[str, str]:
    ids = await _qualification(scene)
    await scene.estate.isv.client.made(f"/v1/qualifications/{ids['qual']}/disputes", DISPUTE)
    return ids


async def _answered(scene: Scene) -> dict[str, str]:
    ids = await _disputed(scene)
    await scene.site.lead.made(f"/v1/qualifications/{ids['qual']}/answer", ANSWER)
    return ids


async def _exclusion(scene: Scene) -> dict[str, str]:
    domain = f"spare-{next(_numbers)}.example"
    made = await scene.estate.isv.client.made("/v1/exclusions", {"domain": domain})
    return {"excl": made["id"]}


def _campaign(*steps: str) -> Callable[[Scene], Awaitable[dict[str, str]]]:
    async def make(scene: Scene) -> dict[str, str]:
        ids, isv = scene.estate.ids, scene.estate.isv
        body = BODIES["create_campaign"](ids)[0]
        path = f"/v1/campaigns/{(await isv.client.made('/v1/campaigns', body))['id']}"
        for step in steps:
            client = isv.client if step in {"order", "pause"} else scene.site.lead
            await client.made(f"{path}/{step}")
        return {"camp": path.rpartition("/")[2]}

    return make


async def _awaiting(scene: Scene) -> dict[str, str]:
    """An exclusion of somebody who is worked far waits for consent."""
    company = (await (await _worked(scene)).read())["company"]
    body = {"domain": company["domain"]}
    return {"excl": (await scene.estate.isv.client.made("/v1/exclusions", body))["id"]}


async def _touched(scene: Scene) -> dict[str, str]:
    """A push, and what the partner then said."""
    path = f"/v1/candidates/{scene.estate.ids['cand']}/touchpoints"
    body = VALID["create_touchpoint"](scene.estate.ids)
    said = body | {"side": "partner", "class": "P1", "text": "Tell me more."}
    client = scene.estate.hunter.client
    push = await client.made(path, body)
    touch = await client.made(path, said | {"occurred_at": _ago(minutes=1)})
    return {"push": push["id"], "touch": touch["id"]}


async def _evidence(scene: Scene) -> dict[str, str]:
    ids = scene.estate.ids
    body = {"kind": "outreach_delivered", "touchpoint_id": ids["touch"], "fact_ids": []}
    path = f"/v1/candidates/{ids['cand']}/evidence"
    return {"evid": (await scene.estate.hunter.client.made(path, body))["id"]}


async def _profile(scene: Scene) -> dict[str, str]:
    body = BODIES["create_profile"](scene.estate.ids)[0]
    return {"ipp": (await scene.estate.isv.client.made("/v1/profiles", body))["id"]}


async def _candidate(scene: Scene) -> dict[str, str]:
    return {"cand": (await scene.site.found()).id}


async def _ready(scene: Scene) -> dict[str, str]:
    return {"cand": (await _worked(scene)).id}


async def _objection(scene: Scene) -> dict[str, str]:
    path = f"/v1/candidates/{scene.estate.ids['cand']}/objections"
    body = {"channel": "phone", "source": "s"}
    return {"obj": (await scene.estate.hunter.client.made(path, body))["id"]}


async def _assignment(scene: Scene) -> dict[str, str]:
    hunter = await scene.world.staff("hunter", new=True)
    body = {"kind": "sourcing", "staff_id": hunter.id, "campaign_id": scene.estate.ids["camp"]}
    return {"asg": (await scene.site.lead.made("/v1/assignments", body))["id"]}


async def _hired(scene: Scene) -> dict[str, str]:
    return {"staff": (await scene.world.staff("hunter", new=True)).id}


async def _organization(scene: Scene) -> dict[str, str]:
    return {"org": (await scene.world.isv()).id}


async def _group(scene: Scene) -> dict[str, str]:
    name = f"group-{next(_numbers)}"
    made = await scene.world.admin.made("/v1/company-groups", {"name": name})
    return {"grp": made["id"], "into": scene.estate.ids["grp"]}


_Maker = Callable[[Scene], Awaitable[dict[str, str]]]


async def _waiting(scene: Scene) -> dict[str, str]:
    line = await full(scene.world, waiting=1, isv=scene.estate.isv)
    return {"wait": encode("wait", (await line.rows())[0].id)}


async def _client(scene: Scene) -> dict[str, str]:
    return await clients.renewed(scene.estate.isv)


def _on_site(make: Callable[[Site], Awaitable[dict[str, str]]]) -> _Maker:
    return lambda scene: make(scene.site)


RENEWING: dict[str, _Maker] = {
    "delete_exclusion": _exclusion,
    "consent_exclusion": _awaiting,
    "lower_touchpoint": _touched,
    "audit_touchpoint": _touched,
    "create_plan_version": _touched,
    "confirm_evidence": _evidence,
    "merge_company_group": _group,
    "update_profile": _profile,
    "update_campaign": _campaign(),
    "order_campaign": _campaign(),
    "start_campaign": _campaign("order"),
    "pause_campaign": _campaign("order", "start"),
    "resume_campaign": _campaign("order", "start", "pause"),
    "cancel_campaign": _campaign("order", "start"),
    "close_campaign": _campaign("order", "start"),
    "create_transition": _candidate,
    "create_qualification": _ready,
    "admit_waiting_qualification": _waiting,
    "accept_qualification": _qualification,
    "dispute_qualification": _qualification,
    "answer_dispute": _disputed,
    "withdraw_dispute": _disputed,
    "decide_dispute": _answered,
    **{name: _on_site(make) for name, make in reports.RENEWING.items()},
    "resolve_objection": _objection,
    "create_assignment": _hired,
    "end_assignment": _assignment,
    "update_organization": _organization,
    "update_staff": _hired,
    **dict.fromkeys(clients.CHANGING, _client),
}
ONCE = {
    "update_campaign",
    "update_profile",
    "update_organization",
    "update_staff",
    "update_oauth_client",
}
"""A success uses nothing up: one thing of their own is enough."""
