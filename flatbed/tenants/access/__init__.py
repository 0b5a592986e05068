"""Who is calling and what he may: principal, scopes, the permission table, ``require(scope)``."""
