"""What gates rest on, and a lead's confirmation of it."""
