"""Whoever asks for the document, and whenever, is given the whole one."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI

from flatbed.app import openapi

THREADS = 8
RAW: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": "raw"}, "paths": {}}


def _counted(app: FastAPI) -> list[dict[str, Any]]:
    """Have FastAPI make its document slowly, and store it before ours is finished, as it does."""
    made: list[dict[str, Any]] = []

    def make() -> dict[str, Any]:
        raw = {**RAW}
        app.openapi_schema = raw
        made.append(raw)
        time.sleep(0.2)
        return raw

    app.openapi = make  # type: ignore[method-assign]  # as FastAPI's own would do
    return made


class TestThreads:
    def test_many_first_callers_are_given_one_finished_document(self) -> None:
        app, together = FastAPI(), threading.Barrier(THREADS)
        made = _counted(app)
        openapi.install(app)

        def ask(number: int) -> tuple[int, str]:
            together.wait()
            time.sleep(0.01 * number)  # some come when FastAPI's own is stored already
            found = app.openapi()
            return id(found), found["info"]["title"]

        with ThreadPoolExecutor(THREADS) as pool:
            found = set(pool.map(ask, range(THREADS)))
        assert {title for _, title in found} == {"Flatbed"}
        assert len(found) == len(made) == 1

    def test_what_fastapi_stored_is_never_changed_under_its_readers(self) -> None:
        app = FastAPI()
        made = _counted(app)
        openapi.install(app)
        assert app.openapi()["info"]["title"] == "Flatbed"
        assert made == [RAW]
        assert app.openapi_schema == app.openapi()
