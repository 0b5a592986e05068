"""The engine, the sessions and the hook that binds a transaction."""
