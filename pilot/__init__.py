"""Rocks Pilot: power and console for every VM of your own virtual cluster."""

__version__ = "0.1.0"
