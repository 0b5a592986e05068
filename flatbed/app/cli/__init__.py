"""The command line ``flatbed``: every command, with ``--json`` and exit codes."""

from flatbed.app.cli.main import main

__all__ = ["main"]
