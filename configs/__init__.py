"""Configs: `default.py` has every field, the others change what their experiment needs."""
