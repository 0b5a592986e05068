"""Assignments and the hunter's queue: who works what, across ISVs."""
