"""What was recorded of a candidate is never changed: a correction is a further row."""

import json
from pathlib import Path

import pytest

from flatbed.app.candidates.models import Contact
from flatbed.tenants.kit.database.urls import Plain

RECORDS = (
    "touchpoint",
    "touchpoint_verdict",
    "evidence",
    "evidence_confirmation",
    "fact",
    "criterion_judgement",
    "plan_version",
    "transition",
    "channel_right",
)
DOCUMENT = Path(__file__).parents[2] / "openapi" / "openapi.json"


class TestCorrections:
    @pytest.mark.parametrize("table", RECORDS)
    async def test_corrections_append_a_row_and_the_program_cannot_change_one(
        self, owner_connection: Plain, table: str
    ) -> None:
        """History stays. Corrections append."""
        may = await owner_connection.fetchrow(
            """
            SELECT has_table_privilege('flatbed_app', $1, 'INSERT') AS append,
                   has_any_column_privilege('flatbed_app', $1, 'UPDATE') AS change,
                   has_table_privilege('flatbed_app', $1, 'DELETE') AS remove
            """,
            table,
        )
        assert may is not None
        assert dict(may) == {"append": True, "change": False, "remove": False}

    def test_no_operation_changes_or_removes_a_record(self) -> None:
        """Corrections append."""
        paths = json.loads(DOCUMENT.read_text(encoding="utf-8"))["paths"]
        rooms = ("touchpoints", "evidence", "facts", "judgements", "plan", "transitions")
        records = {
            path: set(operations)
            for path, operations in paths.items()
            if path.startswith(("/v1/candidates/", "/v1/touchpoints/"))
            and any(f"/{room}" in path for room in rooms)
        }
        assert len(records) >= len(rooms)
        for path, operations in records.items():
            assert not operations & {"put", "patch", "delete"}, path


class TestContact:
    def test_a_contact_has_no_place_for_sensitive_personal_traits(self) -> None:
        """No sensitive personal traits anywhere."""
        assert set(Contact.__table__.columns.keys()) == {
            "tenant_id",
            "id",
            "candidate_id",
            "name",
            "job_title",
            "c_level",
            "email",
            "phone",
            "external_ref",
            "metadata",
            "version",
            "created_at",
            "updated_at",
        }
