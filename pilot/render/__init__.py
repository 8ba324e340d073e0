"""Pure functions from a record to cells, badges and labels."""
