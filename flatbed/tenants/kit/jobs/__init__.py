"""Background work: enqueued in the transaction, run by the worker (sole importer of pgqueuer)."""
