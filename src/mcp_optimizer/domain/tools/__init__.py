"""Tools: definitions, what is embedded of them, limits of their results. Pure."""
