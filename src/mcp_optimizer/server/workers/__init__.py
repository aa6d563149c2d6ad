"""Processes that search for the server while many ask at once."""
