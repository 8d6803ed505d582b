"""The mathematical functions of the CPU engine, written out as instructions on vectors.

Each is a function of a `Lanes` v and of values of v's type, and appends instructions to v's
builder: arithmetic and choices alone, no branches, no memory, no calls; for any number of lanes,
in float32 and float64, with fma or without.

- The error is at most 4 units in the last place (ulp) over the whole range, 4.2 for erfc. The
  docstrings say what was measured, with fma and without: float32 at 30 million numbers spread over
  all there are, float64 at two million, against twice the digits or 64 bits.
- Zeros keep their sign, infinities and NaN give what NumPy gives.
- Denormal arguments count as themselves or as 0; a result below the least normal number may be 0.

The polynomials are minimax fits: tests/engines/cpu/make_coefficients.py makes them.
"""
