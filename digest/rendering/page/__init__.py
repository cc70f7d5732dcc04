"""The Daily Papers page: how its tables are written, and read back."""
