"""The state machine over ordered transactions: who works on what, which model is canonical, and why."""
