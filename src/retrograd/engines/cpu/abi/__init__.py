"""What generated code and those who call it agree on: layouts, tables of pointers and numbers."""
