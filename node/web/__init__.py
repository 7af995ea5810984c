"""What a person or a program on the same machine sees of a node: JSON, metrics, certificates and a page."""
