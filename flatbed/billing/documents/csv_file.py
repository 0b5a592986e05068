"""Tables as CSV."""

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from flatbed.billing.documents.texts import no_formula


def as_csv(model: type[BaseModel], rows: Iterable[Mapping[str, Any]]) -> str:
    """CSV (RFC 4180) with a header: one column a member of ``model``, in its order."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(model.model_fields)
    for row in rows:
        writer.writerow([cell(row[name]) for name in model.model_fields])
    return out.getvalue()


def cell(value: object) -> str:
    """The text of a cell. A spreadsheet must not run a text as a formula: it gets an apostrophe."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case _:
            return no_formula(str(value))
