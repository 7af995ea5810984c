"""A game against a model in the terminal: the command, its dialogue, what a line means, and what is shown."""
