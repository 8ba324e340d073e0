"""Consoles without a user interface of their own: the plain terminal's raw attach, and pipes."""
