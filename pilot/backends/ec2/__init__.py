"""EC2: instances as nodes, region by region."""
