"""The typed builder over llvmlite: integers, vectors, and what processor families do differently."""
