"""How messages come and go: HTTP, sessions, JSON-RPC, stdio."""
