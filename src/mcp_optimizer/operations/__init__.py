"""Use cases: what a person, an agent or a timer may have done to the store."""
