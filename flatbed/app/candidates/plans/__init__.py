"""The joint plan: versions, each field with its author and source."""
