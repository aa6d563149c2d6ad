"""Text to vectors (E1-E4)."""

from mcp_optimizer.embeddings.embedder import Embedder, FastEmbedder, Vector, open_embedder

__all__ = ["Embedder", "FastEmbedder", "Vector", "open_embedder"]
