"""Qualifications that met a cap."""
