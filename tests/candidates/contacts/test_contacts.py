"""Contacts, channel rights and objections over HTTP."""

import httpx
import pytest

from flatbed.tenants.access.principal import Role
from tests.candidates.records_world import NOW, Room, code, missing, places

PERSON = {"name": "Ada Nord", "job_title": "CEO", "c_level": True, "email": "ada@nord.example"}
RIGHT = {"channel": "email", "country": "DE", "basis": "consent", "source": "form of 3 March"}


def ids(answer: httpx.Response) -> list[str]:
    return [row["id"] for row in answer.json()["data"]]


class TestCreateContact:
    async def test_a_contact_is_returned_with_its_etag_and_listed(self, room: Room) -> None:
        answer = await room.hunter.post("contacts", PERSON | {"phone": "+4930123456"})
        assert answer.status_code == 201, answer.text
        assert answer.headers["etag"] == '"1"'
        assert answer.json() | PERSON == answer.json()
        assert await room.isv.listed("contacts") == [answer.json()]

    @pytest.mark.parametrize(
        ("field", "value"),
        [("email", "ada"), ("phone", "030 123"), ("name", ""), ("name", "a\x00"), ("age", 40)],
    )
    async def test_what_is_malformed_or_unknown_is_refused(
        self, room: Room, field: str, value: object
    ) -> None:
        answer = await room.hunter.post("contacts", PERSON | {field: value})
        assert [pointer for pointer, _ in places(answer)] == [f"/{field}"]

    async def test_audit_and_event_hold_no_personal_data(self, room: Room) -> None:
        made = await room.hunter.made("contacts", PERSON)
        ((audit, event),) = await room.trail("contact.created")
        assert audit.object_id == event.object_id == made["id"]
        assert audit.actor == room.hunter.principal.actor
        text = f"{audit.detail}{event.data}"
        assert "Ada" not in text
        assert "nord.example" not in text

    async def test_updated_after_sees_the_candidate_and_his_etag_stays(self, room: Room) -> None:
        before = await room.row()
        await room.hunter.made("contacts", PERSON)
        after = await room.row()
        assert before.updated_at < after.updated_at == NOW
        assert after.version == before.version

    async def test_a_hunter_without_the_assignment_and_a_foreign_isv_get_the_same_404(
        self, room: Room
    ) -> None:
        stranger = room.client(Role.HUNTER)
        other, _ = await room.foreign()
        answers = [
            await stranger.post("contacts", PERSON),
            await room.hunter.post("contacts", PERSON, candidate=missing("cand")),
            await other.get("contacts"),
            await room.isv.get("contacts", candidate=missing("cand")),
            await room.isv.get("contacts", candidate="nonsense"),
        ]
        assert {code(answer) for answer in answers} == {(404, "not-found")}
        bodies = [{k: v for k, v in a.json().items() if k != "request_id"} for a in answers]
        assert all(body == bodies[0] for body in bodies)

    async def test_pages_follow_each_other(self, room: Room) -> None:
        made = [await room.hunter.made("contacts", PERSON | {"name": n}) for n in "abc"]
        first = await room.isv.get("contacts", params={"limit": 2})
        rest = await room.isv.get("contacts", params={"cursor": first.json()["next_cursor"]})
        assert ids(first) + ids(rest) == [one["id"] for one in made]
        assert rest.json()["has_more"] is False


class TestUpdateContact:
    async def test_a_change_needs_the_version_that_was_read(self, room: Room) -> None:
        made = await room.hunter.made("contacts", PERSON)
        path = f"contacts/{made['id']}"
        changed = await room.hunter.send("PATCH", path, {"phone": "+4930123456"}, etag='"1"')
        assert changed.status_code == 200, changed.text
        assert (changed.headers["etag"], changed.json()["version"]) == ('"2"', 2)
        assert changed.json()["email"] == PERSON["email"]
        assert code(await room.hunter.send("PATCH", path, {"name": "B"}))[0] == 428
        stale = await room.hunter.send("PATCH", path, {"name": "B"}, etag='"1"')
        assert code(stale)[0] == 412

    @pytest.mark.parametrize("field", ["name", "c_level", "metadata"])
    async def test_what_must_be_there_cannot_become_null(self, room: Room, field: str) -> None:
        made = await room.hunter.made("contacts", PERSON)
        path = f"contacts/{made['id']}"
        answer = await room.hunter.send("PATCH", path, {field: None}, etag='"1"')
        assert [pointer for pointer, _ in places(answer)] == [f"/{field}"]

    async def test_a_contact_of_another_candidate_is_not_found(self, room: Room) -> None:
        other = await room.another_candidate()
        made = await room.hunter.made("contacts", PERSON, candidate=other)
        for path in (f"contacts/{made['id']}", f"contacts/{missing('cont')}"):
            answer = await room.hunter.send("PATCH", path, {"name": "B"}, etag='"1"')
            assert code(answer) == (404, "not-found")
        assert (await room.isv.listed("contacts", candidate=other))[0]["name"] == PERSON["name"]


class TestChannelRights:
    async def test_a_right_is_kept_with_source_and_date_of_now(self, room: Room) -> None:
        """Rights are kept per person × channel × country × basis, with source and date."""
        made = await room.hunter.made("contacts", PERSON)
        right = await room.hunter.made(f"contacts/{made['id']}/channel-rights", RIGHT)
        assert right | RIGHT == right
        assert right["recorded_at"] == "2026-03-11T10:00:00Z"
        assert (await room.isv.listed("contacts"))[0]["channel_rights"] == [right]
        assert len(await room.trail("channel_right.recorded")) == 1

    async def test_a_right_cannot_be_dated_by_its_sender(self, room: Room) -> None:
        """Else an unlawful outreach would become lawful afterwards."""
        made = await room.hunter.made("contacts", PERSON)
        path = f"contacts/{made['id']}/channel-rights"
        answer = await room.hunter.post(path, RIGHT | {"recorded_at": "2026-01-01T00:00:00Z"})
        assert places(answer) == [("/recorded_at", "extra-forbidden")]

    async def test_a_contact_of_another_candidate_gets_none(self, room: Room) -> None:
        other = await room.another_candidate()
        made = await room.hunter.made("contacts", PERSON, candidate=other)
        answer = await room.hunter.post(f"contacts/{made['id']}/channel-rights", RIGHT)
        assert code(answer) == (404, "not-found")


class TestObjections:
    async def test_an_objection_takes_effect_at_once(self, room: Room) -> None:
        """Objections suppress … at once."""
        made = await room.isv.made("objections", {"source": "letter of 10 March"})
        assert (made["at"], made["resolved_at"]) == ("2026-03-11T10:00:00Z", None)
        assert (made["contact_id"], made["channel"]) == (None, None)
        assert await room.hunter.listed("objections") == [made]
        ((audit, event),) = await room.trail("objection.recorded")
        assert "letter" not in f"{audit.detail}{event.data}"

    async def test_compliance_alone_resolves_it_and_once(self, room: Room) -> None:
        made = await room.hunter.made("objections", {"source": "call", "channel": "phone"})
        path = f"objections/{made['id']}/resolution"
        for who in (room.hunter, room.lead, room.isv):
            assert (await who.post(path)).status_code == 403
        compliance = room.client(Role.COMPLIANCE)
        done = await compliance.made(path)
        assert done["resolved_at"] == "2026-03-11T10:00:00Z"
        assert code(await compliance.post(path)) == (409, "objection-resolved")

    async def test_a_foreign_contact_answers_like_a_missing_one(self, room: Room) -> None:
        other = await room.another_candidate()
        foreign = await room.hunter.made("contacts", PERSON, candidate=other)
        bodies = []
        for contact in (foreign["id"], missing("cont")):
            body = {"source": "call", "contact_id": contact}
            answer = await room.isv.post("objections", body)
            assert code(answer) == (422, "reference-not-found")
            assert places(answer) == [("/contact_id", "reference-not-found")]
            bodies.append({k: v for k, v in answer.json().items() if k != "request_id"})
        assert bodies[0] == bodies[1]

    async def test_an_objection_of_another_candidate_is_not_found(self, room: Room) -> None:
        other = await room.another_candidate()
        made = await room.hunter.made("objections", {"source": "call"}, candidate=other)
        answer = await room.client(Role.COMPLIANCE).post(f"objections/{made['id']}/resolution")
        assert code(answer) == (404, "not-found")
