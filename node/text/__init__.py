"""Values and events of the order as people read them."""
