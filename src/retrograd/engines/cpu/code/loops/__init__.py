"""The loops of a kernel: maps, reductions, products, and what goes one number at a time."""
