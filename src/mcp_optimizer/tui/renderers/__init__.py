"""One small renderer per resource: columns, cells, sort keys, and what can be filtered for. No widgets here."""
