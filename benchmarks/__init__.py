"""Measurements of graphc, alone and beside others. See README.md; not needed to use it."""
