"""Qualifications that wait for room under a cap: joining the line and leaving it."""
