"""Serving agents: who sees what, which servers run, when sources are polled. Pure."""
