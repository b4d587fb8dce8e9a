"""Measurements of graphc, alone and beside other frameworks. See README.md; nothing here is needed to use graphc."""
