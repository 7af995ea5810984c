"""What each kind of transaction does to the state."""
