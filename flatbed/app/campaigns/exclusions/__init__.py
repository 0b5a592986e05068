"""Exclusions: companies that the ISV keeps for itself."""
