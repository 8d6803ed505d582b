"""What stands at an index: entries in memory, and the gates computed from them in registers."""
