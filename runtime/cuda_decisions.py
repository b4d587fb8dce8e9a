"""Loops and choices that a captured graph decides on the device.

A kernel of one thread reads what the program decided, from memory, and tells it to the condition of
a node behind it; the node runs its body so often. Called by gpu_run.py while it captures. The
kernels are built by graphc: for a device (graphc/device/conditional.py), or into an artifact.

`cudaGraphSetConditional`, which the kernels call, is in no library: ptxas knows its name, and the
driver resolves it when a module is loaded. So they are built as any other kernel, but are a module
of their own: older drivers do not load it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial

from . import cuda
from .cuda_graphs import IF, SWITCH, WHILE
from .forking import ForkLock
from .records import dataclass

STATES = 8
"""So many states one launch brings back."""
THREADS = 256
THREAD_BYTES = 64
"""Of states, for each thread of a launch that brings them back, until the device is full."""
BLOCKS = 8
"""Of a processor, at most."""
PAIR_BYTES = 4 << 20
"""From so many bytes of states on, a body is two iterations: to bring the states back would take
longer than the node around the second one. An estimate for an H100: 2 us an iteration."""

# Artifacts hold these kernels built: other parameters or STATES are a new format (manifest.FORMAT).
SOURCE = f"""
extern "C" __device__ void cudaGraphSetConditional(unsigned long long condition,
                                                   unsigned int value);

struct alignas(16) graphc_part {{
  unsigned long long low, high;
}};

struct graphc_states {{
  struct {{
    char* now;
    const char* next;
    long long bytes;
  }} at[{STATES}];
}};

static __device__ __forceinline__ void graphc_bring(const graphc_states& states) {{
  long long first = blockIdx.x * (long long)blockDim.x + threadIdx.x;
  long long threads = gridDim.x * (long long)blockDim.x;
#pragma unroll 1
  for (int s = 0; s < {STATES}; ++s) {{
    char* to = states.at[s].now;
    const char* from = states.at[s].next;
    long long bytes = states.at[s].bytes;
    long long parts = ((unsigned long long)to | (unsigned long long)from) % 16 ? 0 : bytes / 16;
    for (long long k = first; k < parts; k += threads)
      ((graphc_part*)to)[k] = ((const graphc_part*)from)[k];
    for (long long k = parts * 16 + first; k < bytes; k += threads) to[k] = from[k];
  }}
}}

// The place that an index means: the nearest one there is.
static __device__ long long graphc_nearest(long long index, long long count) {{
  return index < 0 ? 0 : index < count ? index : count - 1;
}}

// Before a loop: is there a first iteration?
extern "C" __global__ void __launch_bounds__(1) graphc_enter(
    unsigned long long condition, const unsigned char* answer, long long* done, long long limit) {{
  *done = 0;
  cudaGraphSetConditional(condition, *answer != 0 && limit != 0);
}}

// Behind an iteration: the states are brought back; is there another one?
extern "C" __global__ void __launch_bounds__({THREADS}) graphc_again(
    unsigned long long condition, const unsigned char* answer, long long* done, long long limit,
    graphc_states states) {{
  graphc_bring(states);
  if (blockIdx.x | threadIdx.x) return;
  cudaGraphSetConditional(condition, (++*done != limit) & (*answer != 0));
}}

// Behind the first of two iterations: does `second` follow? If not, the loop ends.
extern "C" __global__ void __launch_bounds__(1) graphc_half(
    unsigned long long condition, const unsigned char* answer, long long* done, long long limit,
    unsigned long long second) {{
  bool more = (++*done != limit) & (*answer != 0);
  cudaGraphSetConditional(condition, more);
  cudaGraphSetConditional(second, more);
}}

// Brings states back; where there is a number of iterations, if it is odd.
extern "C" __global__ void __launch_bounds__({THREADS}) graphc_back(
    const long long* done, graphc_states states) {{
  if (done && *done % 2 == 0) return;
  graphc_bring(states);
}}

// Which of several bodies?
extern "C" __global__ void __launch_bounds__(1) graphc_choose(
    unsigned long long condition, const long long* index, long long count) {{
  cudaGraphSetConditional(condition, (unsigned int)graphc_nearest(*index, count));
}}

// Is it this one?
extern "C" __global__ void __launch_bounds__(1) graphc_is(
    unsigned long long condition, const long long* index, long long count, long long one) {{
  cudaGraphSetConditional(condition, graphc_nearest(*index, count) == one);
}}
"""
NAMES = (
    "graphc_enter", "graphc_again", "graphc_half", "graphc_back", "graphc_choose", "graphc_is",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class State:
    """So many bytes that an iteration reads at `now` and leaves at `next`."""

    now: int
    next: int
    nbytes: int


class Decisions:
    """The kernels that decide, on a device. The methods are for what is captured now."""

    def __init__(self, device: cuda.Device, cubin: bytes):
        self._device = device
        module = device.load(cubin)
        self._module = module  # its functions do not keep it
        self._functions = {name: device.function(module, name) for name in NAMES}

    def loop(
        self, answer: int, count: int, limit: int | None, states: Sequence[State],
        body: Callable[[], None],
    ) -> None:  # fmt: skip
        """Runs iterations while the byte at the address `answer` is not 0, at most `limit`, which
        are counted at the address `count`. In the end the states are where the first one read them.

        `body` launches an iteration, which computes the byte anew: the first time one that reads
        the states at `now`, then one that goes the other way.
        """
        capture = self._capture()
        condition = capture.condition()
        bound = [condition, answer, count, -1 if limit is None else limit]
        self._launch("graphc_enter", 1, 1, bound)

        def single() -> None:
            body()
            *some, last = _groups(states)
            for group in some:
                self._bring("graphc_back", [0], group)
            self._bring("graphc_again", bound, last)

        def pair() -> None:
            body()
            second = capture.condition()
            self._launch("graphc_half", 1, 1, [*bound, second])
            capture.decide(IF, second, [other])

        def other() -> None:
            body()
            self._bring("graphc_again", bound, ())

        if not in_pairs(states):
            capture.decide(WHILE, condition, [single])
            return
        capture.decide(WHILE, condition, [pair])
        for group in _groups(states):
            self._bring("graphc_back", [count], group)

    def _bring(self, name: str, begin: Sequence[int], states: Sequence[State]) -> None:
        places = [x for one in states for x in (one.now, one.next, one.nbytes)]
        places += [0] * (3 * STATES - len(places))
        most = max((one.nbytes for one in states), default=0)
        blocks = -(-most // (THREADS * THREAD_BYTES))
        blocks = max(1, min(blocks, BLOCKS * self._device.processors))
        self._launch(name, blocks, THREADS, [*begin, *places])

    def choose(self, index: int, arms: Sequence[Callable[[], None]]) -> None:
        """Runs the arm of the i64 at the address `index`, which is not written meanwhile; an index
        outside is the nearest one."""
        capture, count = self._capture(), len(arms)

        def filled(arm: Callable[[], None]) -> None:
            arm()
            if capture.is_empty:  # all its arrays are
                self._bring("graphc_back", [0], ())

        bodies = [partial(filled, arm) for arm in arms]
        if self._device.has_switch:
            condition = capture.condition()
            self._launch("graphc_choose", 1, 1, [condition, index, count])
            capture.decide(SWITCH, condition, bodies)
            return
        for k, body in enumerate(bodies):
            condition = capture.condition()
            self._launch("graphc_is", 1, 1, [condition, index, count, k])
            capture.decide(IF, condition, [body])

    def _capture(self) -> cuda.Capture:
        capture = self._device.capturing
        assert capture is not None
        return capture

    def _launch(self, name: str, blocks: int, threads: int, values: Sequence[int]) -> None:
        function = self._functions[name]
        try:
            self._device.launch(function, (blocks, 1, 1), (threads, 1, 1), values)
        except Exception as error:
            raise cuda.DeviceError(f"kernel {name}: {error}") from None


def in_pairs(states: Sequence[State]) -> bool:
    """Are two iterations one body, because so many bytes are not brought back each time?"""
    return sum(one.nbytes for one in states) >= PAIR_BYTES


def _groups(states: Sequence[State]) -> list[Sequence[State]]:
    """At least one, for one launch each."""
    return [states[k : k + STATES] for k in range(0, len(states), STATES)] or [()]


def loop_nodes(states: Sequence[State], body: int) -> int:
    """The nodes of a loop whose body has so many."""
    groups = len(_groups(states))
    return 2 + groups + (2 * body + 4 if in_pairs(states) else body)


_said: set[str] = set()
_lock = ForkLock()


def say(
    why: str, what: str = "waits for each decision of a while_loop, cond or switch on the GPU"
) -> None:
    """Warns, once for each reason, that decisions are the host's, or what else takes longer."""
    with _lock:
        if why in _said:
            return
        _said.add(why)
    warnings.warn(f"graphc {what}: {why}", stacklevel=2)
