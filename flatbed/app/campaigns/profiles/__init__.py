"""Ideal partner profiles: versions of hard criteria and weighted soft ones."""
