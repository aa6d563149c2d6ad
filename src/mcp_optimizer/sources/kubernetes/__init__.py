"""ToolHive's Kubernetes operator as a source of workloads."""
