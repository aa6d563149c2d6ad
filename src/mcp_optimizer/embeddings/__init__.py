"""Text to vectors (E1-E4)."""

from mcp_optimizer.embeddings.embedder import FastEmbedder, open_embedder
from mcp_optimizer.embeddings.offline_model import OFFLINE_MODELS

__all__ = ["OFFLINE_MODELS", "FastEmbedder", "open_embedder"]
