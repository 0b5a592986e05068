"""What FB012 and FB013 see in one file, seen across files on the operations as they are."""

import inspect
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from flatbed.app.routers import ROUTERS

OPERATIONS = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]


def everything(dependant: Dependant) -> Iterator[Dependant]:
    """A dependant and all that it depends on."""
    yield dependant
    for dependency in dependant.dependencies:
        yield from everything(dependency)


class TestOperations:
    def test_neither_an_operation_nor_a_dependency_is_handed_to_a_thread(self) -> None:
        calls = {one.call for route in OPERATIONS for one in everything(route.dependant)}
        sync = {
            call
            for call in calls
            if not inspect.iscoroutinefunction(call) and not inspect.isasyncgenfunction(call)
        }
        assert len(OPERATIONS) > 80
        assert len(calls) > len(OPERATIONS) + 10
        assert sync == set()

    def test_every_transaction_commits_before_its_answer_is_sent(self) -> None:
        opened = [
            one
            for route in OPERATIONS
            for one in everything(route.dependant)
            if inspect.isasyncgenfunction(one.call)
        ]
        assert len(opened) > 80
        assert {one.scope for one in opened} == {"function"}
