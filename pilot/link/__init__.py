"""The client's end of the wire: reach an airboss, make sure of it, ask, and keep its receipts."""
