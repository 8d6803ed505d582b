"""The compiled engine: a program of kernels becomes machine code made for it and this processor."""
