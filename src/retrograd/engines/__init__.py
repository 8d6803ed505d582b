"""Engines run steps: each opens a session that owns data, parameters and optimizer state."""
