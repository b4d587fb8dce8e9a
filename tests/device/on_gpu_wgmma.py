"""Run by hand on an H100, in some seconds: does `wgmma` read tiles as graphc lays them out, and how
fast from which layout? `python -m tests.device.on_gpu_wgmma` needs libcuda and nvcc (or NVRTC).

    python -m tests.device.on_gpu_wgmma --build wgmma.cubin      here, without a GPU
    python tests/device/on_gpu_wgmma.py --cubin wgmma.cubin      there: NumPy and libcuda are enough

First, one product of 64 x 64 x 128 for each way that the two sides may lie (deep: along the terms,
PTX's K-major; flat: along rows or columns, MN-major), with the two strides of the descriptors as
`graphc/codegen/cuda_group.py` gives them and the other way round: "designed" must be exact
everywhere, "swapped" nowhere. Tiles are padded (as `cuda_wgmma.PADDING` says) or swizzled (as they
are with `cuda_wgmma.SWIZZLED`). Then the rate of m64n256k16 with tiles that are read again and
again: padded, bare (neither), swizzled. Tiles are zeros, which take less power than numbers:
compare the layouts, and do not read a rate as a peak.
"""

from __future__ import annotations

import argparse
import ctypes
import sys
from pathlib import Path
from typing import Any

import numpy as np

ARCH = "sm_90a"
DEPTH = 64
"""Terms of a slice."""
COLUMNS = 128
ROOM = COLUMNS * 72
"""Numbers of a tile in memory."""
TURNS = 2000
"""Slices that a block multiplies when rates are measured."""
SHARED = 4 * 51200
"""Bytes of four slices."""
BODY = r"""
template <int LA, int SA, int TA, int NA, int LB, int SB, int TB, int NB, int MODE>
GC_DEVICE void test(unsigned char* left, const unsigned short* a, const unsigned short* b,
                    float* y) {
  unsigned char* right = left + 2 * ROOM;
  float d[COUNT / 2];
  for (int k = threadIdx.x; k < ROOM / 8; k += 128) {
    gc_copy_async<16>(left + 16 * k, a + 8 * k, true);
    gc_copy_async<16>(right + 16 * k, b + 8 * k, true);
  }
  gc_copy_commit();
#pragma unroll
  for (int k = 0; k < COUNT / 2; ++k) d[k] = 0;
  gc_copy_wait<0>();
  gc_fence_proxies();
  __syncthreads();
  gc_group_fence();
#pragma unroll
  for (int k = 0; k < 4; ++k)
    gc_group_mma<__half, COUNT>::template add<TA, TB>(
        d, gc_tile<LA, SA, MODE>(left + k * NA), gc_tile<LB, SB, MODE>(right + k * NB));
  gc_group_commit();
  gc_group_wait<0>();
  gc_group_settled<COUNT / 2>(d);
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int k = 0; k < COUNT / 2; ++k)
    y[COUNT * (row + 8 * (k / 2 % 2)) + 8 * (k / 4) + 2 * t + k % 2] = d[k];
}

template <int LA, int SA, int TA, int NA, int LB, int SB, int TB, int NB, int GROUP, int MODE>
GC_DEVICE void rate(unsigned char* tiles, float* y, long long turns) {
  float d[128];
  for (int k = threadIdx.x; k < SLICES / 4; k += 256) ((unsigned*)tiles)[k] = 0;
#pragma unroll
  for (int k = 0; k < 128; ++k) d[k] = 0;
  gc_fence_proxies();
  __syncthreads();
  for (int s = 0; s < (int)turns; ++s) {
    const unsigned char* left = tiles + s % 4 * (SLICES / 4) + threadIdx.x / 128 * GROUP;
    const unsigned char* right = tiles + s % 4 * (SLICES / 4) + 17408;
    gc_group_fence();
#pragma unroll
    for (int k = 0; k < 4; ++k)
      gc_group_mma<__nv_bfloat16, 256>::template add<TA, TB>(
          d, gc_tile<LA, SA, MODE>(left + k * NA), gc_tile<LB, SB, MODE>(right + k * NB));
    gc_group_commit();
    gc_group_wait<1>();
  }
  gc_group_wait<0>();
  gc_group_settled<128>(d);
  float sum = 0;
#pragma unroll
  for (int k = 0; k < 128; ++k) sum += d[k];
  y[256 * blockIdx.x + threadIdx.x] = sum;
}
"""
TEST = """
extern "C" __global__ void __launch_bounds__(128) {name}(
    const unsigned short* a, const unsigned short* b, float* y) {{
  GC_GROUP_SHARED({shared});
  test<{numbers}>(gc_dynamic, a, b, y);
}}
"""
RATE = """
extern "C" __global__ void __launch_bounds__(256, 1) {name}(
    float* y, long long turns) {{
  GC_GROUP_SHARED({shared});
  rate<{numbers}>(gc_dynamic, y, turns);
}}
"""


def side(
    deep: bool, extent: int, layout: str = "padded", swap: bool = False
) -> tuple[int, int, int, int]:
    """Leading and stride byte offset, PTX's transposition, and bytes from 16 terms to the next."""
    if layout == "swizzled":
        leading, stride = (16 if deep else 128 * DEPTH), 1024
        step = 32 if deep else 2048
    else:
        line = 16 * ((extent if deep else DEPTH) + (layout == "padded"))
        leading, stride = (line, 128) if deep else (128, line)
        step = 2 * line if deep else 256
    return (stride, leading, int(not deep), step) if swap else (
        leading, stride, int(not deep), step
    )  # fmt: skip


def image(matrix: np.ndarray, deep: bool, layout: str) -> np.ndarray:
    """Rows (or columns) by terms as a tile lies in shared memory, padded by what nobody reads."""
    extent = matrix.shape[0]
    if layout == "swizzled":
        # lines of 64 numbers beside each other, in 8 pieces: rows, or 64 rows of a term
        lines = matrix if deep else matrix.reshape(-1, 64, DEPTH).transpose(0, 2, 1)
        tile = np.empty((extent * DEPTH // 64, 8, 8), matrix.dtype)
        for line, numbers in enumerate(lines.reshape(-1, 8, 8)):
            tile[line, np.arange(8) ^ line % 8] = numbers
    elif deep:
        tile = np.full((DEPTH // 8, extent + 1, 8), 999, matrix.dtype)
        tile[:, :-1] = matrix.reshape(extent, DEPTH // 8, 8).transpose(1, 0, 2)
    else:
        tile = np.full((extent // 8, DEPTH + 1, 8), 999, matrix.dtype)
        tile[:, :-1] = matrix.reshape(extent // 8, 8, DEPTH).transpose(0, 2, 1)
    whole = np.zeros(ROOM, matrix.dtype)
    whole[: tile.size] = tile.ravel()
    return whole


WAYS = [(a, b) for a in (True, False) for b in (True, False)]
NAMES = {True: "deep", False: "flat"}


def tests() -> dict[str, tuple[bool, bool, str, bool]]:
    """Name -> are a and b deep, how they lie, are the strides swapped."""
    return {
        f"test_{NAMES[a]}_{NAMES[b]}_{layout}_{'swapped' if swap else 'designed'}": (
            a, b, layout, swap
        )
        for layout in ("padded", "swizzled")
        for swap in (False, True)
        for a, b in WAYS
    }  # fmt: skip


def rates() -> dict[str, tuple[int, ...]]:
    """Name -> the numbers of its kernel."""
    found: dict[str, tuple[int, ...]] = {}
    for a, b in WAYS:
        for layout in ("padded", "bare", "swizzled"):
            group = 64 * 16 if a else 8 * 16 * (DEPTH + (layout == "padded"))
            if layout == "swizzled":
                group = 64 * 128
            mode = int(layout == "swizzled")
            name = f"rate_{NAMES[a]}_{NAMES[b]}_{layout}"
            found[name] = (*side(a, 128, layout), *side(b, 256, layout), group, mode)
    return found


def source() -> str:
    from graphc.codegen.cuda import PRELUDE  # what runs a cubin needs no compiler
    from graphc.codegen.cuda_group import group_function
    from graphc.types import BF16, F16

    functions = (group_function(F16, COLUMNS), group_function(BF16, 256))
    known = f"#define COUNT {COLUMNS}\n#define ROOM {ROOM}\n#define SLICES {SHARED}"
    lines = ["#define GC_HALF 1", known, PRELUDE.read_text(), *functions, BODY]
    for name, (a, b, layout, swap) in tests().items():
        mode = int(layout == "swizzled")
        numbers = (*side(a, 64, layout, swap), *side(b, COLUMNS, layout, swap), mode)
        text = ", ".join(map(str, numbers))
        lines.append(TEST.format(name=name, shared=4 * ROOM, numbers=text))
    for name, numbers in rates().items():
        text = ", ".join(map(str, numbers))
        lines.append(RATE.format(name=name, shared=SHARED, numbers=text))
    return "\n".join(lines) + "\n"


def matrices() -> tuple[np.ndarray, np.ndarray]:
    """Both sides of a product, of numbers whose sums are exact."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-4, 5, (n, DEPTH)).astype(np.float16) for n in (64, COLUMNS))
    return a, b


def compiled() -> bytes:
    from graphc.codegen import nvcc, nvrtc

    return (nvcc if nvcc.available() else nvrtc).compile_cubin(source(), ARCH)


class Driver:
    """The few calls of libcuda that are needed."""

    def __init__(self, cubin: bytes):
        self.cuda = ctypes.CDLL("libcuda.so.1")
        device, context = ctypes.c_int(), ctypes.c_void_p()
        self.module = ctypes.c_void_p()
        self.call("cuInit", 0)
        self.call("cuDeviceGet", ctypes.byref(device), 0)
        self.call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self.call("cuCtxPushCurrent_v2", context)
        self.call("cuModuleLoadData", ctypes.byref(self.module), cubin)
        count = ctypes.c_int()
        self.call("cuDeviceGetAttribute", ctypes.byref(count), 16, device)
        self.processors = count.value

    def call(self, name: str, *args: Any) -> None:
        code = getattr(self.cuda, name)(*args)
        if code:
            text = ctypes.c_char_p()
            self.cuda.cuGetErrorName(code, ctypes.byref(text))
            raise RuntimeError(f"{name}: {(text.value or b'?').decode()} ({code})")

    def memory(self, array: np.ndarray) -> int:
        place = ctypes.c_void_p()
        self.call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(array.nbytes))
        data = array.ctypes.data_as(ctypes.c_void_p)
        self.call("cuMemcpyHtoD_v2", place, data, ctypes.c_size_t(array.nbytes))
        assert place.value is not None
        return place.value

    def read(self, place: int, array: np.ndarray) -> None:
        data = array.ctypes.data_as(ctypes.c_void_p)
        self.call(
            "cuMemcpyDtoH_v2", data, ctypes.c_void_p(place), ctypes.c_size_t(array.nbytes)
        )  # fmt: skip

    def launch(self, name: str, blocks: int, threads: int, shared: int, *values: int) -> None:
        """Launches with values of 8 bytes each."""
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), self.module, name.encode())
        self.call("cuFuncSetAttribute", function, 8, shared)
        buffer = (ctypes.c_longlong * len(values))(*values)
        size = ctypes.c_size_t(ctypes.sizeof(buffer))
        extra = (ctypes.c_void_p * 5)(
            1, ctypes.addressof(buffer), 2, ctypes.addressof(size), None
        )  # fmt: skip
        self.call(
            "cuLaunchKernel", function, blocks, 1, 1, threads, 1, 1, shared, None, None, extra
        )

    def milliseconds(self, name: str, *launch: Any) -> float:
        events = ctypes.c_void_p(), ctypes.c_void_p()
        for one in events:
            self.call("cuEventCreate", ctypes.byref(one), 0)
        self.launch(name, *launch)
        self.call("cuEventRecord", events[0], None)
        self.launch(name, *launch)
        self.call("cuEventRecord", events[1], None)
        self.call("cuEventSynchronize", events[1])
        found = ctypes.c_float()
        self.call("cuEventElapsedTime", ctypes.byref(found), *events)
        return found.value


def exact(driver: Driver) -> bool:
    """Prints which descriptors give the product; whether those that are designed do, and no
    others."""
    a, b = matrices()
    expected = a.astype(np.float32) @ b.astype(np.float32).T
    good = True
    for name, (a_deep, b_deep, layout, swap) in tests().items():
        y = np.zeros((64, COLUMNS), np.float32)
        tiles = (image(a, a_deep, layout), image(b, b_deep, layout))
        places = [driver.memory(one) for one in (*tiles, y)]
        driver.launch(name, 1, 128, 4 * ROOM, *places)
        driver.call("cuCtxSynchronize")
        driver.read(places[2], y)
        wrong = int((y != expected).sum())
        good = good and swap == (wrong > 0)
        print(f"{name:36s} {'exact' if not wrong else f'{wrong} of {y.size} differ'}", flush=True)
    print("as designed" if good else "NOT as designed", flush=True)
    return good


def fast(driver: Driver, turns: int = TURNS) -> None:
    """Prints the rate of each layout."""
    place = driver.memory(np.zeros(256 * driver.processors, np.float32))
    flop = 2.0 * 128 * 256 * DEPTH * turns * driver.processors
    for name in rates():
        took = driver.milliseconds(name, driver.processors, 256, SHARED, place, turns)
        print(f"{name:36s} {flop / took / 1e9:8.0f} TFLOP/s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="wgmma on a GPU")
    parser.add_argument("--build", type=Path, help="write the cubin here and end")
    parser.add_argument("--cubin", type=Path, help="one that was built before")
    given = parser.parse_args()
    if given.build:
        given.build.write_bytes(compiled())
        return 0
    driver = Driver(given.cubin.read_bytes() if given.cubin else compiled())
    good = exact(driver)
    fast(driver)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
