"""The HTTP application: its routers, in the order of the reference."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI

from flatbed.app import health, openapi, reference
from flatbed.app.routers import ROUTERS
from flatbed.app.wiring import Program
from flatbed.tenants.kit import http
from flatbed.tenants.kit.edge.bodies import BodyLayer
from flatbed.tenants.kit.edge.requests import RequestLayer
from flatbed.tenants.oauth import endpoints


def create_app(open_program: Callable[[], Program]) -> FastAPI:
    """The application.

    Args:
        open_program: builds the program's parts inside the running event loop; they are
            started and closed with the application.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        program = open_program()
        try:
            await program.start()
            app.state.program = program
            app.state.gate = program.gate
            app.state.oauth = program.oauth
            yield
        finally:
            await program.close()

    app = FastAPI(
        title="Flatbed",
        lifespan=lifespan,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    http.install(app)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(endpoints.router)
    app.include_router(health.router)
    app.include_router(reference.router)
    openapi.install(app)
    app.add_middleware(BodyLayer)
    app.add_middleware(RequestLayer)
    return app
