"""Every read whose cost could grow with the number of candidates, as an HTTP request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.api.support import Client
from tests.scale.estate import Estate

PAGE = 51
LATER_PAGES = 6
LARGEST_PAGE = 200


@dataclass(frozen=True)
class Read:
    """A request of one of the estate's clients; ``{name}`` in it is a known id.

    ``deep`` asks for a page far behind the first. ``units`` says that it reads each of the
    tenant's units, as a sum must.
    """

    client: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    deep: bool = False
    units: bool = False
    post: Mapping[str, Any] | None = None

    @property
    def single(self) -> bool:
        """Whether it reads one thing by its id."""
        return self.path.endswith("}")

    def __str__(self) -> str:
        words = [self.client, self.path, *(f"{key}={value}" for key, value in self.params.items())]
        return " ".join([*words, "deep"] if self.deep else words)

    async def prepare(self, client: Client, known: Mapping[str, str]) -> "Prepared":
        """Walk to the page, so that only its own statements are recorded."""
        path = self.path.format_map(known)
        params = {name: value.format_map(known) for name, value in self.params.items()}
        if self.deep:
            for size in (LARGEST_PAGE, LARGEST_PAGE // 10):
                for _ in range(LATER_PAGES):
                    page = await client.read(path, params={**params, "limit": size})
                    if page["next_cursor"] is None:
                        break
                    params["cursor"] = page["next_cursor"]
                if "cursor" in params:
                    break
            assert "cursor" in params, f"{self} has no second page"
        body = None if self.post is None else _filled(self.post, known)
        return Prepared(client, path, params, body)


@dataclass(frozen=True)
class Prepared:
    """The request, ready to be sent."""

    client: Client
    path: str
    params: Mapping[str, str]
    body: Mapping[str, Any] | None

    async def send(self) -> str:
        """The body of its answer, which is a success."""
        if self.body is not None:
            answer = await self.client.post(self.path, dict(self.body))
        else:
            answer = await self.client.get(self.path, params=dict(self.params))
        assert answer.status_code == 200, answer.text
        return answer.text


def _filled(body: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    return {name: value.format_map(known) for name, value in body.items()}


def _filtered(client: str, path: str, *filters: Mapping[str, str]) -> list[Read]:
    """First page and a deep one without a filter; the first page under each filter."""
    plain = [Read(client, path), Read(client, path, deep=True)]
    return plain + [Read(client, path, one) for one in filters]


CANDIDATE_FILTERS = (
    {"stage": "identified"},
    {"stage": "activated"},
    {"status": "active"},
    {"status": "nurture"},
    {"status": "exited"},
    {"external_ref": "{external_ref}"},
    {"external_ref": "unknown"},
    {"updated_after": "2026-01-01T00:00:00Z"},
    {"updated_after": "{soon}"},
)
CAMPAIGN = "/v1/campaigns/{campaign}/candidates"
OF_CANDIDATE = (
    *("contacts", "objections", "facts", "judgements", "touchpoints", "evidence", "plan"),
    *("transitions", "gates", "qualifications", "waiting-qualifications"),
)
READS = [
    Read("largest", "/v1/candidates/{candidate}"),
    Read("hunter", "/v1/candidates/{own}"),
    *(Read("largest", f"/v1/candidates/{{candidate}}/{name}") for name in OF_CANDIDATE),
    *(Read("hunter", f"/v1/candidates/{{own}}/{name}") for name in ("touchpoints", "contacts")),
    *_filtered("largest", "/v1/candidates", *CANDIDATE_FILTERS),
    Read("largest", "/v1/candidates", {"campaign_id": "{campaign}"}),
    Read("lead", "/v1/candidates", {"hunter_id": "{busiest}"}),
    Read("lead", "/v1/candidates", {"hunter_id": "{idlest}"}),
    Read("lead", "/v1/candidates", {"hunter_id": "{busiest}"}, deep=True),
    *_filtered("largest", CAMPAIGN, *CANDIDATE_FILTERS),
    *_filtered("hunter", "/v1/me/queue"),
    Read("idle", "/v1/me/queue"),
    *(Read("largest", "/v1/usage", {"group_by": by}, units=True) for by in ("campaign", "month")),
    Read("largest", "/v1/usage", {"campaign_id": "{campaign}"}, units=True),
    Read("largest", "/v1/usage", {"state": "pending"}, units=True),
    Read("largest", "/v1/usage", {"from": "2026-01-01T00:00:00Z"}, units=True),
    Read("largest", "/v1/usage", {"format": "csv"}, units=True),
    Read("largest", "/v1/statements/preview", units=True),
    *_filtered(
        "largest",
        "/v1/qualifications",
        {"status": "pending"},
        {"status": "voided"},
        {"campaign_id": "{campaign}"},
        {"external_ref": "unknown"},
        {"updated_after": "2026-01-01T00:00:00Z"},
    ),
    Read("largest", "/v1/qualifications/{qualification}"),
    *_filtered("largest", "/v1/audit", {"action": "candidate.rare"}, {"object_id": "cand_17"}),
    Read("largest", "/v1/campaigns"),
    Read("largest", "/v1/campaigns", {"status": "running"}),
    Read("largest", "/v1/campaigns/{campaign}"),
    Read("largest", "/v1/campaigns/{campaign}/brief"),
    *_filtered("largest", "/v1/exclusions", {"status": "active"}, {"status": "refused"}),
    Read(
        "lead",
        "/v1/campaigns/{campaign}/exclusion-checks",
        post={"domain": "{domain}", "company_name": "{company}"},
    ),
    Read("admin", "/v1/disputes"),
    *_filtered(
        "admin",
        "/v1/assignments",
        {"staff_id": "{busiest}"},
        {"staff_id": "{idlest}"},
        {"organization_id": "{largest}"},
        {"organization_id": "{smallest}"},
        {"live": "true"},
        {"live": "true", "staff_id": "{busiest}"},
        {"live": "true", "organization_id": "{largest}"},
        {"staff_id": "{busiest}", "organization_id": "{smallest}"},
        {"live": "true", "staff_id": "{busiest}", "organization_id": "{smallest}"},
    ),
    *_filtered(
        "admin",
        "/v1/companies",
        {"domain": "{domain}"},
        {"domain": "nobody.example"},
        {"external_ref": "unknown"},
    ),
    Read("admin", "/v1/staff"),
    Read("admin", "/v1/organizations"),
]


async def known(world_client: Client, estate: Estate, hunter: Client) -> dict[str, str]:
    """The ids that the requests name, read through the API itself."""
    largest = world_client
    page = await largest.read("/v1/candidates", params={"limit": LARGEST_PAGE})
    rows = page["data"]
    candidate = next(one for one in rows if one["stage"] == "engaged")
    queue = (await hunter.read("/v1/me/queue"))["data"]
    units = (await largest.read("/v1/qualifications"))["data"]
    return {
        "candidate": candidate["id"],
        "campaign": candidate["campaign_id"],
        "domain": candidate["company"]["domain"],
        "company": candidate["company"]["name"],
        "external_ref": next(one["external_ref"] for one in rows if one["external_ref"]),
        "own": queue[0]["candidate_id"],
        "qualification": units[0]["id"],
        "soon": rows[-1]["updated_at"],
        "busiest": estate.hunters[0],
        "idlest": estate.hunters[-1],
        "largest": estate.tenants[0],
        "smallest": estate.tenants[-1],
    }
