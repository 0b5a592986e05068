"""Documentation that the program serves itself: nothing is asked of another host."""

from html import escape
from inspect import cleandoc
from pathlib import Path

from anyio import to_thread
from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from flatbed.tenants.kit.problems import NotFoundError, catalogue

router = APIRouter(include_in_schema=False)

STATIC = Path(__file__).with_name("static")
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)
REFERENCE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Flatbed API reference</title>
</head>
<body>
<div id="reference"></div>
<script src="/docs/scalar.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""
PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title} · Flatbed</title></head>
<body><main><h1>{title}</h1>{body}</main></body>
</html>
"""


@router.get("/openapi.json")
async def openapi(request: Request) -> Response:
    """The OpenAPI document of the running program."""
    # Made on the first request, in seconds: in a thread, so that others are answered meanwhile.
    return JSONResponse(await to_thread.run_sync(request.app.openapi))


@router.get("/docs")
async def docs() -> Response:
    """The interactive reference."""
    return HTMLResponse(REFERENCE, headers={"Content-Security-Policy": POLICY})


@router.get("/docs/{name}")
async def script(name: str) -> Response:
    """The reference's own files."""
    if name not in {"scalar.js", "start.js", "scalar.LICENSE.txt"}:
        raise NotFoundError
    return FileResponse(STATIC / name, headers={"Cache-Control": "public, max-age=3600"})


@router.get("/problems")
async def problems() -> Response:
    """Every problem type."""
    rows = sorted(catalogue(), key=lambda problem: (problem.status, problem.code))
    items = "".join(
        f'<li><a href="/problems/{p.code}">{p.status} {escape(p.title)}</a></li>' for p in rows
    )
    return _page("Problem types", f"<ul>{items}</ul>")


@router.get("/problems/{code}")
async def problem(code: str) -> Response:
    """What one problem means and what to do next: the `type` of problem documents."""
    for found in catalogue():
        if found.code == code:
            body = (
                f"<p><code>{escape(found.code)}</code>, HTTP {found.status}</p>"
                f"<p>{escape(cleandoc(found.__doc__ or ''))}</p><p>{escape(found.advice)}</p>"
            )
            return _page(found.title, body)
    raise NotFoundError


def _page(title: str, body: str) -> Response:
    return HTMLResponse(PAGE.format(title=escape(title), body=body))
