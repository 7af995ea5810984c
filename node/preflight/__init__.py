"""What keeps a node from working, found before it starts."""
