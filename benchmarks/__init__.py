"""The benchmark: retrograd beside its peers, in one run, on equal work. `python -m benchmarks`."""
