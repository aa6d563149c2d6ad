"""Keeps Python's garbage collector from holding up the screens.

A full collection looks at every object that lives: with all that is imported and loaded that blocks the event loop
for longer than a person may wait for a key. What stays for good is therefore taken out of its sight, as soon as it is
there. What is made afterwards is collected as ever.
"""

import gc
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def kept_small() -> Generator[None]:
    """While the block runs: no collection until :func:`settled` is called first; afterwards as it was before."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()


def settled() -> None:
    """What lives now will stay: no collection looks at it again."""
    gc.freeze()
    gc.enable()
