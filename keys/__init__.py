"""The trust kernel: everything that touches key material. Imports nothing of pilot."""
