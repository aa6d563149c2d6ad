"""How well search finds the right tool, on real tools."""
