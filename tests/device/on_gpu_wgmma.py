"""Run by hand on an H100, in some seconds: does `wgmma` read tiles as graphc lays them out, and how
fast from which layout? `python -m tests.device.on_gpu_wgmma` needs libcuda and nvcc (or NVRTC).

    python -m tests.device.on_gpu_wgmma --build wgmma.cubin      here, without a GPU
    python -m tests.device.on_gpu_wgmma --cubin wgmma.cubin      there, without a compiler

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

from graphc.codegen import nvcc, nvrtc
from graphc.codegen.cuda import PRELUDE
from graphc.codegen.cuda_group import group_function
from graphc.types import BF16, F16

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
FUNCTIONS = (group_function(F16, COLUMNS), group_function(BF16, 256))
BODY = r"""
template <int LA, int SA, int TA, int NA, int LB, int SB, int TB, int NB, int MODE>
GC_DEVICE void test(const unsigned short* a, const unsigned short* b, float* y) {
  __shared__ __align__(1024) unsigned short left[ROOM], right[ROOM];
  float d[COUNT / 2];
  for (int k = threadIdx.x; k < ROOM; k += 128) left[k] = a[k], right[k] = b[k];
#pragma unroll
  for (int k = 0; k < COUNT / 2; ++k) d[k] = 0;
  gc_fence_proxies();
  __syncthreads();
  gc_group_fence();
#pragma unroll
  for (int k = 0; k < 4; ++k)
    gc_group_mma<__half, COUNT>::template add<TA, TB>(
        d, gc_tile<LA, SA, MODE>((const char*)left + k * NA),
        gc_tile<LB, SB, MODE>((const char*)right + k * NB));
  gc_group_commit();
  gc_group_wait<0>();
  gc_group_settled<COUNT / 2>(d);
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int k = 0; k < COUNT / 2; ++k)
    y[COUNT * (row + 8 * (k / 2 % 2)) + 8 * (k / 4) + 2 * t + k % 2] = d[k];
}
#define TEST(NAME, LA, SA, TA, NA, LB, SB, TB, NB, MODE)                                          \
  extern "C" __global__ void __launch_bounds__(128)                                               \
      NAME(const unsigned short* a, const unsigned short* b, float* y) {                          \
    test<LA, SA, TA, NA, LB, SB, TB, NB, MODE>(a, b, y);                                          \
  }

template <int LA, int SA, int TA, int NA, int LB, int SB, int TB, int NB, int GROUP, int MODE>
GC_DEVICE void rate(float* y, int turns) {
  extern __shared__ __align__(1024) unsigned char tiles[];
  float d[128];
  for (int k = threadIdx.x; k < 51200; k += 256) ((unsigned*)tiles)[k] = 0;
#pragma unroll
  for (int k = 0; k < 128; ++k) d[k] = 0;
  gc_fence_proxies();
  __syncthreads();
  for (int s = 0; s < turns; ++s) {
    const unsigned char* left = tiles + s % 4 * 51200 + threadIdx.x / 128 * GROUP;
    const unsigned char* right = tiles + s % 4 * 51200 + 17408;
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
#define RATE(NAME, LA, SA, TA, NA, LB, SB, TB, NB, GROUP, MODE)                                   \
  extern "C" __global__ void __launch_bounds__(256, 1) NAME(float* y, int turns) {                \
    rate<LA, SA, TA, NA, LB, SB, TB, NB, GROUP, MODE>(y, turns);                                  \
  }
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
    known = f"#define COUNT {COLUMNS}\n#define ROOM {ROOM}"
    lines = ["#define GC_HALF 1", known, PRELUDE.read_text(), *FUNCTIONS, BODY]
    for name, (a, b, layout, swap) in tests().items():
        mode = int(layout == "swizzled")
        numbers = (*side(a, 64, layout, swap), *side(b, COLUMNS, layout, swap), mode)
        lines.append(f"TEST({name}, {', '.join(map(str, numbers))})")
    for name, numbers in rates().items():
        lines.append(f"RATE({name}, {', '.join(map(str, numbers))})")
    return "\n".join(lines) + "\n"


def matrices() -> tuple[np.ndarray, np.ndarray]:
    """Both sides of a product, of numbers whose sums are exact."""
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-4, 5, (n, DEPTH)).astype(np.float16) for n in (64, COLUMNS))
    return a, b


def compiled() -> bytes:
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
        self.call("cuCtxSetCurrent", context)
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

    def memory(self, array: np.ndarray) -> ctypes.c_void_p:
        place = ctypes.c_void_p()
        self.call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(array.nbytes))
        data = array.ctypes.data_as(ctypes.c_void_p)
        self.call("cuMemcpyHtoD_v2", place, data, ctypes.c_size_t(array.nbytes))
        return place

    def read(self, place: ctypes.c_void_p, array: np.ndarray) -> None:
        data = array.ctypes.data_as(ctypes.c_void_p)
        self.call("cuMemcpyDtoH_v2", data, place, ctypes.c_size_t(array.nbytes))

    def launch(self, name: str, blocks: int, threads: int, shared: int, *values: Any) -> None:
        function = ctypes.c_void_p()
        self.call("cuModuleGetFunction", ctypes.byref(function), self.module, name.encode())
        if shared:
            self.call("cuFuncSetAttribute", function, 8, shared)
        slots = (ctypes.c_void_p * len(values))(
            *(ctypes.cast(ctypes.byref(v), ctypes.c_void_p) for v in values)
        )
        self.call(
            "cuLaunchKernel", function, blocks, 1, 1, threads, 1, 1, shared, None, slots, None
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


def run(cubin: bytes) -> bool:
    """Prints what is found; whether it is as designed."""
    driver = Driver(cubin)
    a, b = matrices()
    expected = a.astype(np.float32) @ b.astype(np.float32).T
    good = True
    for name, (a_deep, b_deep, layout, swap) in tests().items():
        y = np.zeros((64, COLUMNS), np.float32)
        tiles = (image(a, a_deep, layout), image(b, b_deep, layout))
        places = [driver.memory(one) for one in (*tiles, y)]
        driver.launch(name, 1, 128, 0, *places)
        driver.call("cuCtxSynchronize")
        driver.read(places[2], y)
        wrong = int((y != expected).sum())
        good = good and (swap or not wrong)
        print(f"{name:36s} {'exact' if not wrong else f'{wrong} of {y.size} differ'}", flush=True)
    y = np.zeros(256 * driver.processors, np.float32)
    place = driver.memory(y)
    flop = 2.0 * 128 * 256 * DEPTH * TURNS * driver.processors
    for name in rates():
        launch = (driver.processors, 256, SHARED, place, ctypes.c_int(TURNS))
        took = driver.milliseconds(name, *launch)
        print(f"{name:36s} {flop / took / 1e9:8.0f} TFLOP/s", flush=True)
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description="wgmma on a GPU")
    parser.add_argument("--build", type=Path, help="write the cubin here and end")
    parser.add_argument("--cubin", type=Path, help="one that was built before")
    given = parser.parse_args()
    if given.build:
        given.build.write_bytes(compiled())
        return 0
    good = run(given.cubin.read_bytes() if given.cubin else compiled())
    print("as designed" if good else "NOT as designed")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
