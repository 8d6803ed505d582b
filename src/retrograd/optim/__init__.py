"""Optimizers: each is its equations, in the same gates as the network it updates."""
