"""Linear algebra of any size: compiled functions against NumPy."""
