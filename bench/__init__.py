"""What the program promises of its speed, measured beside its peers on the same machine."""
