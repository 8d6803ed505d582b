"""Differentiation: `gradient` appends the backward sweep, `check_gradient` tests it."""
