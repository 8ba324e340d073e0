"""The commands of `pilot`, one file a group. Each has `add_arguments` and `run`; what is heavy is imported in
`run` alone, so that help and completion come at once."""
