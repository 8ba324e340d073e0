"""Serial consoles: held from the first byte, kept, and shared by many viewers."""
