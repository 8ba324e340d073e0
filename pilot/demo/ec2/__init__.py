"""The demo's EC2: moto's server behind a stand-in for what it lacks. Everything it shows is pretended."""
