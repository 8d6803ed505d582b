"""Sessions and functions: memory, native calls, threads, and what is kept between them."""
