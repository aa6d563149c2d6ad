"""ToolHive as a source of catalog and workloads."""
