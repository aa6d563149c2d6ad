"""What the server's loop runs on: as little between a request and its answer as there need be."""

import asyncio
import gc
import sys
from typing import Final

_OBJECTS: Final = 20_000
"""Made since the last look for garbage, before the next one; a call makes some thousand."""


def make_loop() -> asyncio.AbstractEventLoop:
    """A loop in C, where there is one for the system."""
    if sys.platform == "win32":
        return asyncio.new_event_loop()
    import uvloop  # noqa: PLC0415 (there is none for Windows)

    return uvloop.new_event_loop()


def spare_what_stays() -> None:
    """Let the search for garbage pass over what is there now, which stays: modules, models, statements."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_OBJECTS)
