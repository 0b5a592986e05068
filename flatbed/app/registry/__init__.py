"""The agency's registry: companies, groups and public facts. No tenant can read it."""
