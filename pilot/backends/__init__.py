"""What airboss drives, one provider a room, behind the protocol in provider.py."""
