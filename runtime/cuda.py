"""The place of the CUDA runtime: contexts, modules, memory, streams and graph replay through
pycuda.

It comes in a later release. Until then kernels are printed (graphc/codegen/cuda.py), built
(graphc/codegen/nvcc.py) and tested on the CPU (graphc/codegen/cuda_cpu.py), and this module only
says whether a machine could run them. pycuda will be imported here and nowhere else, on first use.
"""

from __future__ import annotations


def available() -> tuple[bool, str]:
    """Whether pycuda and a driver with a device are there, and if not, what is missing. Never
    raises."""
    try:
        import pycuda.driver as driver  # type: ignore[import-not-found]
    except ImportError as error:
        return False, f"pycuda.driver cannot be imported: {error}"
    except Exception as error:
        return False, f"pycuda.driver failed to load: {error}"
    try:
        driver.init()
        count = driver.Device.count()
        if count == 0:
            return False, "the CUDA driver reports no device"
        return True, f"{count} CUDA device(s), the first: {driver.Device(0).name()}"
    except Exception as error:
        return False, f"the CUDA driver does not start: {error}"
