"""Trees over the inventory: their lines, the order of these, and what is below what. Without a screen."""
