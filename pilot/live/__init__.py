"""One site kept connected, and what the app does with it. Nothing here knows of a screen."""
