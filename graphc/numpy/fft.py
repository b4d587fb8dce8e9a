"""numpy.fft for traced arrays: the public names of fourier.py."""

from __future__ import annotations

from .namespace import names_of

globals().update(names_of("fft"))
