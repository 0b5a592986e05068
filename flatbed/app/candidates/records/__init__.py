"""What all records of a candidate share: finding him, checking references, provenance."""
