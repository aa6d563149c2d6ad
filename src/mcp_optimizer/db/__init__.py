"""The store: four core tables, six search tables, and the support tables beside them (S1-S7)."""
