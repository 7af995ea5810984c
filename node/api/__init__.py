"""What a node tells over HTTP: the shapes of all answers and requests, and where on this machine the node serves."""
