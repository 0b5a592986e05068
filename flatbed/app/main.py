"""The HTTP application: its routers, in the order of the reference."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from fastapi import FastAPI
from prometheus_client.registry import Collector
from starlette.routing import Route

from flatbed.app import health, openapi, reference
from flatbed.app.health import Lifecycle
from flatbed.app.routers import ROUTERS
from flatbed.app.wiring import Program
from flatbed.billing.stripe_events.router import router as webhooks
from flatbed.tenants.kit import http
from flatbed.tenants.kit.edge.admission import AdmissionLayer
from flatbed.tenants.kit.edge.bodies import BodyLayer
from flatbed.tenants.kit.edge.headers import HeaderLayer
from flatbed.tenants.kit.edge.metrics import AdmissionCollector, MetricsLayer, MetricsPage
from flatbed.tenants.kit.edge.requests import RequestLayer
from flatbed.tenants.kit.edge.retries import RetryLayer
from flatbed.tenants.kit.metrics import PoolCollector
from flatbed.tenants.oauth import endpoints
from flatbed.tenants.oauth.pages import router as authorizing
from flatbed.tenants.pages.pages import Pages
from flatbed.tenants.pages.route import where_pages_are
from flatbed.tenants.pages.router import router as pages
from flatbed.tenants.people.pages.router import router as people_pages

FREE: Final = (
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/docs/",
    "/problems",
    "/problems/",
    "/.well-known/",
    "/assets/",
)
"""Paths that need no connection of the request pool, and no permit for one."""


def create_app(open_program: Callable[[], Program], lifecycle: Lifecycle | None = None) -> FastAPI:
    """The application.

    Args:
        open_program: builds the program's parts inside the running event loop; they are
            started and closed with the application.
        lifecycle: where the server notes that it is about to stop.
    """
    lifecycle = lifecycle or Lifecycle()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        program = open_program()
        try:
            await program.start()
            app.state.program = program
            app.state.lifecycle = lifecycle
            app.state.admission = program.admission
            app.state.gate = program.gate
            app.state.oauth = program.oauth
            app.state.people = program.people
            app.state.pages = Pages.of(program.keyring, program.settings.public_url)
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
    # First: routes are tried in this order, and the token endpoint has the most requests.
    app.include_router(endpoints.router)
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(webhooks)
    app.include_router(people_pages)
    app.include_router(authorizing)
    app.include_router(pages)
    app.include_router(health.router)
    app.include_router(reference.router)
    app.router.routes.append(_metrics_route(app))
    openapi.install(app)
    app.add_middleware(RetryLayer)
    refuse = where_pages_are(people_pages, authorizing)
    app.add_middleware(AdmissionLayer, free=FREE, refuse=refuse)
    app.add_middleware(BodyLayer, refuse=refuse)
    app.add_middleware(RequestLayer)
    app.add_middleware(MetricsLayer)
    app.add_middleware(HeaderLayer, leaving=lambda: lifecycle.leaving)
    return app


def _metrics_route(app: FastAPI) -> Route:
    """Not in the OpenAPI document: it is no JSON, and for the deployment alone."""

    def token() -> str | None:
        secret = app.state.program.settings.metrics_token
        return None if secret is None else secret.get_secret_value()

    def collectors() -> list[Collector]:
        program = app.state.program
        return [PoolCollector(program.database.engine), AdmissionCollector(program.admission)]

    return Route(MetricsPage.path, MetricsPage(token, collectors), include_in_schema=False)
