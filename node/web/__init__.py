"""What people and programs on the same machine see of a node: JSON, metrics, certificates and a page."""
