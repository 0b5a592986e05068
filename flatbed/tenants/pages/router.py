"""The one style sheet of the pages; its path changes with its content."""

from fastapi import APIRouter, Response

from flatbed.tenants.kit.problems import NotFoundError
from flatbed.tenants.pages.pages import STYLE, STYLE_PATH

router = APIRouter(include_in_schema=False)


@router.get("/assets/{name}")
async def style(name: str) -> Response:
    """The style sheet, for as long as a browser likes to keep it."""
    if f"/assets/{name}" != STYLE_PATH:
        raise NotFoundError
    kept = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(STYLE, media_type="text/css", headers=kept)
