"""Which number means what in the tables of integers that native code is called with."""

from __future__ import annotations

# Of a call: rows of a pass and of a batch, and its batches. Strides of scalars and of data follow.
PASS, BATCH, FIRST, LAST, THREAD, THREADS = range(6)
STRIDES = 6

# Places in a control block: the state has a cache line to itself.
STATE, JOB, LOCK, ACQUIRE, RELEASE = 0, 16, 22, 23, 24
CONTROL = 32
SPINNING, RUNNING, PARKED = range(3)  # states: waits for a job, runs one, or sleeps
# Of a job: the function of its tasks, their number, their pairs of pointers; where the number of
# the next is, and which are done; how many places later the task comes that goes on with one.
FUNCTION, TASKS, PAIRS, NEXT, DONE, LATER = range(6)
WORKERS, FIRST_WORKER = 6, 7  # of a call, after its own job: how many workers, their control blocks

# Gates that pick by an index of the data: an error's code says which, and the size of the axis.
PICKING = ("take", "scatter_add")
