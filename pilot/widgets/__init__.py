"""Textual widgets without domain."""
