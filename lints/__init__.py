"""The house's own lints: rules about this code base that no general linter can know."""
