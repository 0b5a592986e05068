"""Qualifications that met a cap: waiting, admission, expiry."""
