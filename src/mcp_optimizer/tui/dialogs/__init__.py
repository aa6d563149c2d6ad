"""Dialogs: they take the keys until they are closed with ``esc``."""
