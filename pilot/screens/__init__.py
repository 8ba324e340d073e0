"""The app's screens: one task each, its .tcss beside it."""
