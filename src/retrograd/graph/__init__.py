"""The graph: nodes, the gates that make them, their order, and the steps built from them."""
