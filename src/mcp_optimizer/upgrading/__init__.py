"""Bringing any database that this program, or its predecessor, has made to the present schema."""

from mcp_optimizer.upgrading.upgrading import OnProgress, Upgrading

__all__ = ["OnProgress", "Upgrading"]
