"""Figures of training, drawn with matplotlib and without its global state."""
