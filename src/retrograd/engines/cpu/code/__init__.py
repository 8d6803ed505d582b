"""The generator: a program becomes a module of LLVM's intermediate language."""
