"""Logs and problems beside the core tables: changes, runs, problems, servers, queries."""
