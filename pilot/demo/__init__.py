"""A whole hosting cluster on one machine, from real parts."""
