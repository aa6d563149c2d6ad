"""Keeping a database whole: check, repair, backup, copy, upgrade, re-embed."""
