"""Programs on a CUDA device: plans, cubins, arrays, calls.

The rooms: plan.py (kernels in order and the place of every buffer), build.py (CUDA C to cubins, on
disk), array.py (arrays of the device), interchange.py (those of other libraries), conditional.py
(what captured graphs decide), program.py (the backend and its calls). The driver is reached through
`graphc_runtime.cuda` alone.
"""
