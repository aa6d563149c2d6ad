"""PostgreSQL: driver, engine, vector and full-text index, checks."""
