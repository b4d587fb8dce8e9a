"""Programs on a CUDA device: plans, cubins, arrays, calls.

The rooms: plan.py (kernels in order and the place of every buffer, by walk.py and kernels.py),
build.py (CUDA C to cubins, on disk), array.py (arrays of the device), interchange.py (those of
other libraries), conditional.py (the kernels by which graphs decide), program.py (the backend),
loaded.py (a plan and its calls). Steps are run by `graphc_runtime.gpu_run`, and the driver is
reached through `graphc_runtime.cuda` alone.
"""
