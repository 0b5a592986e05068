"""A candidate's rows as the plain values that the rules judge."""
