"""Which number means what in the tables of integers that native code is called with."""

from __future__ import annotations

# Of a call: rows of a pass and of a batch, and its batches. Strides of scalars and of data follow.
PASS, BATCH, FIRST, LAST, THREAD, THREADS = range(6)
STRIDES = 6

# Places in a control block: the state has a cache line to itself.
STATE, JOB, LOCK, ACQUIRE, RELEASE = 0, 16, 20, 21, 22
CONTROL = 32
WORKERS, FIRST_WORKER = 4, 5  # of a call, after its own job: how many workers, their control blocks

# Gates that pick by an index of the data: an error's code says which, and the size of the axis.
PICKING = ("take", "scatter_add")
