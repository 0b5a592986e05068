"""``flatbed openapi``: the committed files that are made from the code."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from flatbed.app.cli.output import FOUND, answer, errors
from flatbed.app.main import create_app
from flatbed.app.openapi import permission_page
from flatbed.app.wiring import Program, SettingsMissingError


def document() -> str:
    """The OpenAPI document as it is committed."""
    return json.dumps(create_app(_unopened).openapi(), indent=2, ensure_ascii=False) + "\n"


def openapi(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Only say whether the committed files are true.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the document.")] = False,
    folder: Annotated[Path, typer.Option(help="The repository's folder.")] = Path(),
) -> None:
    """Write openapi/openapi.json and docs/reference/permissions.md, or compare them."""
    if as_json:
        sys.stdout.write(document())
        return
    made = {
        folder / "openapi" / "openapi.json": document(),
        folder / "docs" / "reference" / "permissions.md": permission_page(),
    }
    stale = [file for file, text in made.items() if _read(file) != text]
    if check:
        for file in stale:
            errors.print(f"{file} is not what the code says: run `flatbed openapi`")
        if stale:
            raise typer.Exit(FOUND)
        answer({"checked": ", ".join(map(str, made))}, as_json=False)
        return
    for file in stale:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made[file], encoding="utf-8")
        answer({"written": file}, as_json=False)


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


def _unopened() -> Program:
    raise SettingsMissingError("the document needs no program")
