"""Differentiation: `gradient` appends the backward sweep, `check_gradient` compares it with numbers."""
