"""The composition root: builds every part of a running node, and starts them in order."""
