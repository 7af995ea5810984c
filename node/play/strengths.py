"""How strong a model plays: what a person can choose."""

STRENGTHS = {"policy": 0, "16": 16, "64": 64, "400": 400}
"""The simulations of each strength; 0 is the policy alone."""
