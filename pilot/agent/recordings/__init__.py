"""Recordings of serial consoles on the disk."""
