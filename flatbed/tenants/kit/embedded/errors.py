"""Errors of the embedded server; their texts are for the person at the command line."""


class EmbeddedPostgresError(Exception):
    """The embedded server could not be made, started or stopped."""
