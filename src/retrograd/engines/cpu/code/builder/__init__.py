"""The typed builder over llvmlite: integers, vectors, what processor families do otherwise."""
