"""How fast it is, each number measured beside what a person would use instead. `python -m bench` runs it."""
