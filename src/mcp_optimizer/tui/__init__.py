"""The terminal UI: what is in the catalog, what is running, and what inherits from what."""
