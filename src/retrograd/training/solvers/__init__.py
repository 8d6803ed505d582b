"""Solvers that drive steps from outside, instead of being equations inside one."""
