"""The candidate itself: sourcing it, reading it, changing what is written on it."""
