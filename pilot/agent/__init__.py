"""airboss: the daemon that checks signed requests and acts on them."""
