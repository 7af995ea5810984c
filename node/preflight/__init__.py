"""What keeps a node from working, found before it starts or while it runs."""
