"""The mathematical functions of the CPU engine, written out as instructions on vectors."""
