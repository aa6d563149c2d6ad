"""Measurements: each figure beside a baseline of the same run, as machines are noisy."""
