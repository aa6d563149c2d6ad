"""Databases of the program's predecessor: how they are told, read, and taken out of the way."""

from mcp_optimizer.legacy.reading import OldDatabase, OldRow, old_shape, read_file, read_old
from mcp_optimizer.legacy.shapes import Shape, shape_of
from mcp_optimizer.legacy.tables import drop_old, set_aside

__all__ = [
    "OldDatabase",
    "OldRow",
    "Shape",
    "drop_old",
    "old_shape",
    "read_file",
    "read_old",
    "set_aside",
    "shape_of",
]
