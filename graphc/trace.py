"""x"""
from .tracer import Tracer, as_value, current_trace, is_traced, wrap
from .cell import Trace
