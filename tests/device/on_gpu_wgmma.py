"""Run by hand on an H100, in some seconds: does `wgmma` read tiles as graphc lays them out, and how
fast from which layout? `python -m tests.device.on_gpu_wgmma` needs libcuda and nvcc (or NVRTC).

    python -m tests.device.on_gpu_wgmma --build wgmma.cubin      here, without a GPU
    python -m tests.device.on_gpu_wgmma --cubin wgmma.cubin      there, without a compiler

First, one product of 64 x 64 x 64 for each way that the two sides may lie (deep: along the terms,
PTX's K-major; flat: along rows or columns, MN-major), with the two strides of the descriptors as
`graphc/codegen/cuda_group.py` gives them and the other way round: "as designed" must be exact
everywhere, "swapped" nowhere. Then the rate of m64n256k16 with tiles that are read again and again:
with the 16 bytes between lines that the schedule leaves (`cuda_wgmma.PADDING`), without them, and
with the swizzle of 128 bytes that graphc does not use (its results are not looked at). Tiles are
zeros, which take less power than numbers: compare the layouts, and do not read a rate as a peak.
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
TURNS = 2000
"""Slices that a block multiplies when rates are measured."""
SHARED = 4 * 51200
"""Bytes of four slices."""
FUNCTIONS = (group_function(F16, 64), group_function(BF16, 256))
BODY = r"""
template <int LA, int SA, int TA, int NA, int LB, int SB, int TB, int NB>
GC_DEVICE void test(const unsigned short* a, const unsigned short* b, float* y) {
  __shared__ __align__(128) unsigned short left[64 * 80], right[64 * 80];
  float d[32];
  for (int k = threadIdx.x; k < 64 * 80; k += 128) left[k] = a[k], right[k] = b[k];
#pragma unroll
  for (int k = 0; k < 32; ++k) d[k] = 0;
  gc_fence_proxies();
  __syncthreads();
  gc_group_fence();
#pragma unroll
  for (int k = 0; k < 4; ++k)
    gc_group_mma<__half, 64>::template add<TA, TB>(
        d, gc_tile<LA, SA>((const char*)left + k * NA),
        gc_tile<LB, SB>((const char*)right + k * NB));
  gc_group_commit();
  gc_group_wait<0>();
  gc_group_settled<32>(d);
  const int row = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
  for (int k = 0; k < 32; ++k)
    y[64 * (row + 8 * (k / 2 % 2)) + 8 * (k / 4) + 2 * t + k % 2] = d[k];
}
#define TEST(NAME, LA, SA, TA, NA, LB, SB, TB, NB)                                                \
  extern "C" __global__ void __launch_bounds__(128)                                               \
      NAME(const unsigned short* a, const unsigned short* b, float* y) {                          \
    test<LA, SA, TA, NA, LB, SB, TB, NB>(a, b, y);                                                \
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
          d, gc_tile<LA, SA>(left + k * NA) | (unsigned long long)MODE << 62,
          gc_tile<LB, SB>(right + k * NB) | (unsigned long long)MODE << 62);
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
    deep: bool, extent: int, padding: int = 1, swap: bool = False
) -> tuple[int, int, int, int]:
    """Leading and stride byte offset, PTX's transposition, and bytes from 16 terms to the next."""
    line = 16 * ((extent if deep else DEPTH) + padding)
    leading, stride = (line, 128) if deep != swap else (128, line)
    return leading, stride, int(not deep), 2 * line if deep else 256


def image(matrix: np.ndarray, deep: bool) -> np.ndarray:
    """Rows (or columns) by terms as a tile lies in shared memory, padded by what nobody reads."""
    extent = matrix.shape[0]
    if deep:
        tile = np.full((DEPTH // 8, extent + 1, 8), 999, matrix.dtype)
        tile[:, :-1] = matrix.reshape(extent, DEPTH // 8, 8).transpose(1, 0, 2)
    else:
        tile = np.full((extent // 8, DEPTH + 1, 8), 999, matrix.dtype)
        tile[:, :-1] = matrix.reshape(extent // 8, 8, DEPTH).transpose(0, 2, 1)
    whole = np.zeros(64 * 80, matrix.dtype)
    whole[: tile.size] = tile.ravel()
    return whole


WAYS = [(a, b) for a in (True, False) for b in (True, False)]
NAMES = {True: "deep", False: "flat"}


def tests() -> dict[str, tuple[bool, bool, bool]]:
    """Name -> are a and b deep, are the strides swapped."""
    return {
        f"test_{NAMES[a]}_{NAMES[b]}_{'swapped' if swap else 'designed'}": (a, b, swap)
        for swap in (False, True)
        for a, b in WAYS
    }


def rates() -> dict[str, tuple[int, ...]]:
    """Name -> the numbers of its kernel."""
    found: dict[str, tuple[int, ...]] = {}
    for a, b in WAYS:
        for padding in (1, 0):
            group = 64 * 16 if a else 8 * 16 * (DEPTH + padding)
            name = f"rate_{NAMES[a]}_{NAMES[b]}_{'padded' if padding else 'bare'}"
            found[name] = (*side(a, 128, padding), *side(b, 256, padding), group, 0)
    swizzled = (16, 1024, 0, 32)
    return {**found, "rate_deep_deep_swizzled": (*swizzled, *swizzled, 64 * 128, 1)}


def source() -> str:
    lines = ["#define GC_HALF 1", PRELUDE.read_text(), *FUNCTIONS, BODY]
    for name, (a, b, swap) in tests().items():
        numbers = (*side(a, 64, 1, swap), *side(b, 64, 1, swap))
        lines.append(f"TEST({name}, {', '.join(map(str, numbers))})")
    for name, numbers in rates().items():
        lines.append(f"RATE({name}, {', '.join(map(str, numbers))})")
    return "\n".join(lines) + "\n"


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
    rng = np.random.default_rng(1)
    a, b = (rng.integers(-4, 5, (64, DEPTH)).astype(np.float16) for _ in range(2))
    expected = a.astype(np.float32) @ b.astype(np.float32).T
    good = True
    for name, (a_deep, b_deep, swap) in tests().items():
        y = np.zeros((64, 64), np.float32)
        places = [driver.memory(one) for one in (image(a, a_deep), image(b, b_deep), y)]
        driver.launch(name, 1, 128, 0, *places)
        driver.call("cuCtxSynchronize")
        driver.read(places[2], y)
        wrong = int((y != expected).sum())
        good = good and (swap or not wrong)
        print(f"{name:28s} {'exact' if not wrong else f'{wrong} of {y.size} differ'}", flush=True)
    y = np.zeros(256 * driver.processors, np.float32)
    place = driver.memory(y)
    flop = 2.0 * 128 * 256 * DEPTH * TURNS * driver.processors
    for name in rates():
        launch = (driver.processors, 256, SHARED, place, ctypes.c_int(TURNS))
        took = driver.milliseconds(name, *launch)
        print(f"{name:28s} {flop / took / 1e9:8.0f} TFLOP/s", flush=True)
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
