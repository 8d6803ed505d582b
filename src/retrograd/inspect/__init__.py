"""Inspection: every value and gradient of a run, and whether the gradients are right."""
