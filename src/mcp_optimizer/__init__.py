"""mcp-optimizer: which MCP servers are in the catalog, which run, and what inherits from what."""

import os
from importlib.metadata import version

# Vectors are compared many times a second, each time in a moment: a second thread of OpenBLAS shortens that little, and
# keeps a processor busy with waiting for the next time. It is read when numpy is imported.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# The embedding model needs no network, and what runs it is to tell nobody of this machine either. It is read when
# onnxruntime is imported, and keeps it from making a file with an id of the machine, too.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = version("mcp-optimizer")
