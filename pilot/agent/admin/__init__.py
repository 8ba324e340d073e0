"""The admin's commands: one module for each group, and `parser` for their grammar."""
