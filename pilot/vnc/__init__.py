"""A VM's screen without a user interface: the RFB client, its picture, and what draws it in a terminal."""
