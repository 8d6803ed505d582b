"""The lectures' examples, replayed with the package's own graphs and networks."""
