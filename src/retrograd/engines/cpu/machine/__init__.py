"""What a processor offers, and how LLVM's intermediate language becomes its machine code."""
