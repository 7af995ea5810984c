"""What a node tells about itself: the answers of `StatusSource`, drawn from memory at the moment of asking."""
