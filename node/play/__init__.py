"""Games between people and models: choices in words, what a model thinks, sessions, and games as files."""
