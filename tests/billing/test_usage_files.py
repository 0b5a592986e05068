"""Usage as files, and who may group it by hunter, over HTTP with real tokens."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator
from typing import Any

import openpyxl
import pytest
import pytest_asyncio

from flatbed.billing.documents.languages import Language
from flatbed.billing.facade import Basis, accept_usage, record_usage
from flatbed.billing.usage.errors import PressBusyError
from flatbed.billing.usage.negotiation import accepted_format, accepted_language
from flatbed.billing.usage.press import Press
from flatbed.billing.usage.reports import export
from flatbed.billing.usage.router import MEDIA
from flatbed.billing.usage.schemas import Format, GroupBy
from flatbed.tenants.access.principal import Role
from flatbed.tenants.kit.clock import Clock
from flatbed.tenants.kit.ids import encode, uuid7
from tests.api.support import BASE_URL, Isv, World, new_world
from tests.billing.documents.reading import letters, links, words
from tests.billing.world import CALLER, NOON, request
from tests.support.postgres import TestDatabase

XLSX, PDF = MEDIA[Format.XLSX], MEDIA[Format.PDF]


@pytest_asyncio.fixture
async def world(database: TestDatabase) -> AsyncIterator[World]:
    async with new_world(database) as made:
        yield made


async def meter(world: World, isv: Isv, *, accept: bool = False, **unit: Any) -> str:
    """One unit in the ISV's ledger; the id of its qualification."""
    wanted = request(evidence_hash="a1" * 32, **unit)
    async with world.program.database.tenant(
        realm_id=world.realm_id,
        tenant_id=isv.tenant_id,
        caller=CALLER,
        clock=Clock(instant=NOON),
    ) as session:
        entry = await record_usage(session, wanted)
        if accept:
            await accept_usage(session, entry.entry_id, basis=Basis.PERSON, actor="x")
    return encode("qual", wanted.source_id)


def workbook(content: bytes) -> dict[str, list[tuple[Any, ...]]]:
    """The sheets of a workbook, read by another library."""
    book = openpyxl.load_workbook(io.BytesIO(content))
    return {name: list(book[name].iter_rows(values_only=True)) for name in book.sheetnames}


class TestHunters:
    async def test_the_agency_groups_by_hunter_and_an_isv_is_told_that_it_may_not(
        self, world: World
    ) -> None:
        isv, hunter = await world.isv(), uuid7()
        await meter(world, isv, agent_ref=hunter)
        await meter(world, isv)
        finance = (await world.staff("finance")).at(isv)
        body = await finance.read("/v1/usage", params={"group_by": "hunter"})
        assert [one["key"] for one in body["groups"]] == [encode("staff", hunter), None]
        agency = await world.client({"kind": "agency"}, Role.AGENCY_CLIENT)
        again = await agency.acting_for(isv.id).read("/v1/usage", params={"group_by": "hunter"})
        assert again["groups"] == body["groups"]
        for format_ in Format:
            params = {"group_by": "hunter", "format": format_.value}
            answer = await isv.client.get("/v1/usage", params=params)
            assert answer.status_code == 422
            [error] = answer.json()["errors"]
            assert (error["pointer"], error["code"]) == ("query:group_by", "agency-only")

    async def test_nothing_that_an_isv_reads_names_the_hunter(self, world: World) -> None:
        isv, hunter = await world.isv(), uuid7()
        await meter(world, isv, agent_ref=hunter, accept=True)
        names = [str(hunter), hunter.hex, encode("staff", hunter)[6:]]
        asked = 0
        for group_by in GroupBy:
            for format_ in Format:
                params = {"group_by": group_by.value, "format": format_.value}
                answer = await isv.client.get("/v1/usage", params=params)
                shown = text_of(answer.content, format_)
                assert not any(name in shown for name in names), params
                asked += answer.status_code == 200
        assert asked == (len(GroupBy) - 1) * len(Format)
        preview = await isv.client.get("/v1/usage/preview")
        assert not any(name in preview.text for name in names)


class TestFiles:
    @pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
    @pytest.mark.parametrize("format_", [Format.XLSX, Format.PDF])
    async def test_the_ends_of_the_calendar_are_bounds_as_any_other(
        self, world: World, zone: str, format_: Format
    ) -> None:
        isv = await world.isv(time_zone=zone)
        first, last = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
        for bounds in ({"from": first, "to": last}, {"from": last, "to": first}, {"to": first}):
            params = {"format": format_.value, **bounds}
            answer = await isv.client.get("/v1/usage", params=params)
            assert answer.status_code == 200, bounds

    async def test_a_sum_that_no_spreadsheet_keeps_is_refused_and_said_elsewhere(
        self, world: World
    ) -> None:
        isv, most = await world.isv(), 10**15 - 1
        for _ in range(2):
            await meter(world, isv, unit_price=most)
        asked = {
            one: await isv.client.get("/v1/usage", params={"format": one.value}) for one in Format
        }
        refused = asked.pop(Format.XLSX)
        assert (refused.status_code, refused.json()["code"]) == (422, "too-many-digits")
        assert {one.status_code for one in asked.values()} == {200}
        assert asked[Format.JSON].json()["totals"][0]["pending"]["amount"] == 2 * most

    async def test_a_workbook_holds_lines_groups_and_totals_with_their_evidence(
        self, world: World
    ) -> None:
        isv = await world.isv(name="=Acme")
        qualification = await meter(world, isv, accept=True, country="DE")
        await meter(world, isv, currency="CHF", unit_price=700)
        answer = await isv.client.get(
            "/v1/usage", params={"group_by": "country"}, headers={"Accept": XLSX}
        )
        assert answer.headers["Content-Type"] == XLSX
        assert answer.headers["Content-Disposition"] == 'attachment; filename="usage.xlsx"'
        sheets = workbook(answer.content)
        lines, groups, totals = sheets["Lines"], sheets["Groups"], sheets["Totals"]
        assert {line[8] for line in lines[1:]} >= {qualification}
        assert {line[9] for line in lines[1:]} == {"a1" * 32}
        assert [(row[0], row[1]) for row in groups[1:]] == [("DE", "EUR"), ("–", "CHF")]
        assert [row[0] for row in totals[1:]] == ["CHF", "EUR"]

    @pytest.mark.parametrize(
        ("language", "title"), [("de", "Nutzungsbericht"), ("en", "Usage report")]
    )
    async def test_a_pdf_speaks_the_language_asked_for_and_links_every_dossier(
        self, world: World, language: str, title: str
    ) -> None:
        isv = await world.isv()
        made = [await meter(world, isv, accept=True), await meter(world, isv)]
        headers = {"Accept": PDF, "Accept-Language": f"{language}-CH, fr;q=0.9"}
        by_header = await isv.client.get("/v1/usage", headers=headers)
        assert by_header.headers["Content-Type"] == PDF
        assert title in words(by_header.content)
        assert links(by_header.content) == [f"{BASE_URL}/v1/qualifications/{one}" for one in made]
        assert letters(by_header.content).count("a1" * 32) == 2
        by_parameter = await isv.client.get(
            "/v1/usage",
            params={"format": "pdf", "language": language},
            headers={"Accept-Language": "fr"},
        )
        assert words(by_parameter.content) == words(by_header.content)

    async def test_a_month_is_shown_from_its_first_to_its_last_day(self, world: World) -> None:
        isv = await world.isv()
        await meter(world, isv)
        params = {
            "format": "pdf",
            "from": "2026-02-28T23:00:00Z",
            "to": "2026-03-31T22:00:00Z",
            "language": "de",
        }
        answer = await isv.client.get("/v1/usage", params=params)
        assert "01.03.2026 – 31.03.2026" in words(answer.content)
        # The month is past: nothing of it is expected any more.
        assert "Erwartet" not in words(answer.content)

    async def test_without_units_there_is_a_page_that_says_so(self, world: World) -> None:
        isv = await world.isv()
        answer = await isv.client.get("/v1/usage", params={"format": "pdf"})
        assert "No units in this period." in words(answer.content)

    async def test_each_format_has_its_bound_and_says_it(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        isv = await world.isv()
        await meter(world, isv)
        for format_ in (Format.CSV, Format.XLSX, Format.PDF):
            monkeypatch.setitem(export.MOST, format_, 0)
            answer = await isv.client.get("/v1/usage", params={"format": format_.value})
            body = answer.json()
            assert (answer.status_code, body["code"], body["most"]) == (
                422,
                "export-too-large",
                0,
            )

    async def test_another_isv_finds_no_line_in_its_files(self, world: World) -> None:
        """Invariant 13."""
        isv, other = await world.isv(), await world.isv()
        qualification = await meter(world, isv)
        for format_ in Format:
            answer = await other.client.get("/v1/usage", params={"format": format_.value})
            assert answer.status_code == 200
            assert qualification not in text_of(answer.content, format_)

    async def test_a_full_line_is_told_when_to_come_again(self, world: World) -> None:
        isv = await world.isv()
        await meter(world, isv)
        world.program.press = Press(places=1)
        blocked = threading.Event()
        held = asyncio.ensure_future(world.program.press.make(lambda: _wait(blocked)))
        await asyncio.sleep(0)
        try:
            answer = await isv.client.get("/v1/usage", params={"format": "csv"})
            assert (answer.status_code, answer.json()["code"]) == (503, "documents-busy")
            assert answer.headers["Retry-After"] == "1"
        finally:
            blocked.set()
        assert await held == b"done"
        assert (await isv.client.get("/v1/usage", params={"format": "csv"})).status_code == 200


class TestPreview:
    async def test_an_isv_reads_what_its_candidates_in_review_would_cost(
        self, world: World
    ) -> None:
        isv, campaign = await world.isv(), uuid7()
        for accept in (True, False, False):
            await meter(world, isv, accept=accept, campaign_ref=campaign, unit_price=100)
        await meter(world, isv)
        params = {"campaign_id": encode("camp", campaign)}
        [found] = (await isv.client.read("/v1/usage/preview", params=params))["campaigns"]
        assert (found["campaign_id"], found["currency"]) == (encode("camp", campaign), "EUR")
        assert (found["accepted"]["units"], found["accepted"]["amount"]) == (1, 100)
        assert (found["pending"]["units"], found["pending"]["amount"]) == (2, 200)
        assert found["pending"]["after"] == {
            "rank": 3,
            "tier": {"from_unit": 1, "unit_price": 100},
            "next_tier": None,
            "units_until_next_tier": None,
        }
        both = await isv.client.read("/v1/usage/preview")
        assert len(both["campaigns"]) == 2

    async def test_a_hunter_and_a_stranger_read_none_of_it(self, world: World) -> None:
        isv, other = await world.isv(), await world.isv()
        await meter(world, isv)
        hunter = (await world.staff("hunter")).at(isv)
        assert (await hunter.get("/v1/usage/preview")).status_code == 403
        assert (await other.client.read("/v1/usage/preview"))["campaigns"] == []


class TestForecast:
    async def test_it_stands_on_the_first_page_only(self, world: World) -> None:
        isv = await world.isv()
        for _ in range(2):
            await meter(world, isv)
        first = await isv.client.read("/v1/usage", params={"limit": 1})
        second = await isv.client.read(
            "/v1/usage", params={"limit": 1, "cursor": first["next_cursor"]}
        )
        [currency] = first["forecast"]["currencies"]
        assert (currency["currency"], currency["pending"]["units"]) == ("EUR", 2)
        assert second["forecast"] is None


class TestNegotiation:
    @pytest.mark.parametrize(
        ("accept", "wanted"),
        [
            ("", Format.JSON),
            ("*/*", Format.JSON),
            ("text/csv", Format.CSV),
            (f"{PDF}, text/csv", Format.PDF),
            (f"{PDF};q=0.5, text/csv;q=0.8", Format.CSV),
            (f"text/html, {XLSX};q=0.9, */*;q=0.1", Format.XLSX),
            (f"application/json, {PDF}", Format.JSON),
            ("text/csv;q=0, */*", Format.JSON),
            ("text/csv; q=x", Format.CSV),
            (",;=,q;;", Format.JSON),
        ],
    )
    def test_the_most_preferred_format_that_we_have(self, accept: str, wanted: Format) -> None:
        media = {media: format_ for format_, media in MEDIA.items()}
        assert accepted_format(accept, media) is wanted

    @pytest.mark.parametrize(
        ("accept", "wanted"),
        [
            ("", Language.EN),
            ("fr", Language.EN),
            ("de", Language.DE),
            ("de-AT;q=0.4, en;q=0.5", Language.EN),
            ("fr, DE-ch;q=0.4", Language.DE),
            ("de;q=0, en", Language.EN),
        ],
    )
    def test_the_most_preferred_language_that_we_have(self, accept: str, wanted: Language) -> None:
        assert accepted_language(accept) is wanted


class TestPress:
    async def test_one_file_is_made_after_the_other(self) -> None:
        press, running, most = Press(places=3), 0, 0

        def work() -> bytes:
            nonlocal running, most
            running += 1
            most = max(most, running)
            threading.Event().wait(0.01)
            running -= 1
            return b"x"

        assert await asyncio.gather(*(press.make(work) for _ in range(3))) == [b"x"] * 3
        assert most == 1
        press.close()

    async def test_an_error_and_a_caller_that_left_give_their_places_back(self) -> None:
        press, blocked = Press(places=2), threading.Event()
        left = asyncio.ensure_future(press.make(lambda: _wait(blocked)))
        await asyncio.sleep(0)
        left.cancel()
        queued = asyncio.ensure_future(press.make(_fail))
        await asyncio.sleep(0)
        # The first is being made for nobody, and takes its place until it is done.
        with pytest.raises(PressBusyError):
            await press.make(_fail)
        blocked.set()
        with pytest.raises(ZeroDivisionError):
            await queued
        assert await press.make(lambda: b"x") == b"x"
        press.close()


def text_of(content: bytes, format_: Format) -> str:
    """What can be read in a file."""
    if content.startswith(b"%PDF"):
        return letters(content) + "".join(links(content))
    if content.startswith(b"PK"):
        return str(workbook(content))
    assert format_ is not Format.PDF or content.startswith(b"{")
    return content.decode()


def _wait(event: threading.Event) -> bytes:
    assert event.wait(30)
    return b"done"


def _fail() -> bytes:
    raise ZeroDivisionError
