"""A reply that is made between the commit of its request's transaction and its first byte.

FastAPI closes the request's transaction when the endpoint has returned, and only then calls the
response. What must follow a commit and still be told to the caller happens in that call; an error
there is answered as if the endpoint had raised it, but for an unavailable database: the request
has taken effect, and the caller must not read that nothing was changed.
"""

from collections.abc import Awaitable, Callable

from fastapi import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Receive, Scope, Send

from flatbed.tenants.kit.failpoints import Failpoint, failpoint
from flatbed.tenants.kit.http import from_database
from flatbed.tenants.kit.problems import OutcomeUnknownError, UnavailableError


class AfterCommit(Response):
    """Makes the real response when it is called.

    Args:
        finish: does what follows the commit, in transactions of its own.
    """

    def __init__(self, finish: Callable[[], Awaitable[Response]]) -> None:
        super().__init__()
        self._finish = finish

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Finish, then answer."""
        failpoint(Failpoint.AFTER_COMMIT_BEGUN)
        try:
            response = await self._finish()
        except UnavailableError as error:
            raise OutcomeUnknownError from error
        except SQLAlchemyError as error:
            if isinstance(from_database(error), UnavailableError):
                raise OutcomeUnknownError from error
            raise
        failpoint(Failpoint.AFTER_COMMIT_FINISHED)
        await response(scope, receive, send)
