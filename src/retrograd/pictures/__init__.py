"""Pictures of graphs as lectures draw them: gates, values over the edges, gradients under them."""
