"""From a graph to what an engine runs: first of all, what need not be computed twice."""
