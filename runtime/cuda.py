"""The CUDA runtime: context, modules, memory, streams, launches and graph replay, by pycuda.

pycuda is imported here and nowhere else, on first use. It has no calls for CUDA graphs: these come
from the driver's own library (cuda_graphs.py), on pycuda's streams. The context is the device's
primary one, which torch, CuPy and JAX use as well: their arrays are valid here and ours there.

The stream of a device is a blocking one: work on the legacy default stream (where CuPy and torch
work unless told otherwise) and ours wait for each other, in both directions.
"""

from __future__ import annotations

import atexit
import itertools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .cuda_graphs import SWITCH_VERSION, Calls, Capture, Graph
from .errors import DeviceError, OutOfDeviceMemory
from .host_words import Words


def _driver() -> Any:
    with warnings.catch_warnings():  # without a driver pycuda warns, and then raises
        warnings.simplefilter("ignore")
        import pycuda.driver as driver  # type: ignore[import-not-found]
    return driver


def available() -> tuple[bool, str]:
    """Whether pycuda and a driver with a device are there, and if not, what is missing. Never
    raises."""
    try:
        driver = _driver()
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


class Device:
    """A device with its primary context, one stream, and a pool of memory that this stream uses.

    Raises:
        DeviceError: at construction, with what is missing.
    """

    def __init__(self, number: int = 0):
        there, why = available()
        if not there:
            raise DeviceError(why)
        driver = _driver()
        from pycuda.tools import DeviceMemoryPool  # type: ignore[import-not-found]

        self.number = number
        self._driver = driver
        device = driver.Device(number)
        self._context = device.retain_primary_context()
        self._active = _Active(driver, self._context, self._suspects)
        self.closed = False
        """Has the process begun to end, so that the driver is no longer asked?"""
        self.name: str = device.name()
        major, minor = device.compute_capability()
        self.arch = f"sm_{major}{minor}"
        self.processors: int = device.get_attribute(driver.device_attribute.MULTIPROCESSOR_COUNT)
        self.driver_version: int = driver.get_driver_version()
        self.peak_bytes = 0
        self._running: dict[str, int] = {}
        """Calls that began since the device was last waited for, with the number of the last."""
        self._numbers = itertools.count()
        self._calls = Calls()
        self._here = threading.local()
        """Its `capture`: what this thread captures now."""
        self._spare: list[Any] = []
        """Streams that nothing runs on: they are captured."""
        with self.active():
            self._number_of_context = self._calls.context()
            self.stream = driver.Stream()
            self.pool = DeviceMemoryPool()
        self.words = Words(self.page_locked)
        """Where the device writes what calls report."""
        atexit.register(self._leave)

    def _leave(self) -> None:
        """What is freed later goes to the driver, which no longer knows it, and not to the pool."""
        with self.active():
            self.pool.stop_holding()
        self.closed = True
        self._context.detach()

    def active(self) -> _Active:
        """The context is the current one of this thread meanwhile; the driver's errors become
        DeviceErrors.

        No thread keeps it: pycuda ends the process when a thread ends with a context on its stack,
        and it also does when memory is freed where there is none.
        """
        return self._active

    # -- memory
    def allocate(self, nbytes: int) -> Held:
        """Memory that is free again when the object is gone; `int()` of it is the address.

        Raises:
            OutOfDeviceMemory: with what is there. The pool has given back before what it can.
        """
        with self.active():
            try:
                made = self.pool.allocate(max(nbytes, 1))
            except self._driver.MemoryError:
                free, total = self._driver.mem_get_info()
                raise OutOfDeviceMemory(
                    f"{nbytes} bytes are not free: the device has {total}, of which {free} are, "
                    f"and arrays and programs of this process have {self.pool.active_bytes}"
                ) from None
        self.peak_bytes = max(self.peak_bytes, self.pool.active_bytes)
        return Held(self, made)

    def free_held(self) -> None:
        """Gives the memory back that the pool keeps and nobody uses."""
        with self.active():
            self.pool.free_held()

    def upload(self, target: int, array: np.ndarray) -> None:
        """Copies a contiguous array to an address, after what the stream has to do before. The
        array may be changed afterwards."""
        if array.nbytes:
            with self.active():
                self._driver.memcpy_htod_async(target, array, self.stream)
                self._wait()

    def download(self, array: np.ndarray, source: int) -> None:
        """Copies an address to a contiguous array, after what the stream has to do before."""
        with self.active():
            if array.nbytes:
                self._driver.memcpy_dtoh_async(array, source, self.stream)
            self._wait()

    def page_locked(self, count: int) -> Held:
        """So many i32 of the host, which the device writes while the host goes on."""
        with self.active():
            return Held(self, self._driver.pagelocked_empty(count, np.int32))

    def download_later(self, array: np.ndarray, source: int) -> None:
        """Copies an address to page-locked memory, on the stream; does not wait."""
        with self.active():
            self._driver.memcpy_dtoh_async(array, source, self.stream)

    def copy(self, target: int, source: int, nbytes: int) -> None:
        """Copies on the device, on the stream."""
        if nbytes:
            with self.active():
                self._driver.memcpy_dtod_async(target, source, nbytes, self._target())
                if self.capturing is not None:
                    self.capturing.put([target, source, nbytes], is_copy=True)

    def clear(self, target: int, nbytes: int) -> None:
        """Sets bytes to 0, on the stream."""
        with self.active():
            self._driver.memset_d8_async(target, 0, nbytes, self._target())
            if self.capturing is not None:
                self.capturing.fix([target])

    def synchronize(self) -> None:
        """Waits for the stream."""
        with self.active():
            self._wait()

    # -- what runs
    def began(self, call: str) -> None:
        """Remembers what a call is, until the device has been waited for: if a kernel fails, it is
        one of these."""
        self._running[call] = next(self._numbers)

    def _wait(self) -> None:
        ended = dict(self._running)  # what other threads launch meanwhile may go on
        self.stream.synchronize()
        for call, number in ended.items():
            if self._running.get(call) == number:
                self._running.pop(call, None)

    def _suspects(self) -> str:
        """Behind an error: whose kernel may have failed; empty where the device is well."""
        try:
            self.stream.synchronize()
        except self._driver.Error:
            calls = "; ".join(self._running) or "none of graphc's"
            return (
                f". A kernel has failed, of one of the calls that were running: {calls}. The "
                "device's context is lost; start the process again"
            )
        return ""

    def cannot_read(self, pointer: int) -> str:
        """Why kernels of this device cannot read an address; empty where they can."""
        with self.active():
            number = self._calls.of_pointer(_ORDINAL, pointer)
            context = self._calls.of_pointer(_CONTEXT, pointer)
        if number is None:
            return f"has no memory of a CUDA device at address {pointer:#x}"
        if number != self.number:
            return f"is on CUDA device {number}; programs run on device {self.number}"
        if context and context != self._number_of_context:
            return (
                "belongs to another context than the device's primary one, where programs run and "
                "torch and CuPy have their arrays; with pycuda, import pycuda.autoprimaryctx "
                "instead of pycuda.autoinit"
            )
        return ""

    # -- kernels
    def load(self, cubin: bytes) -> Held:
        """A module with kernels, unloaded when the object is gone."""
        with self.active():
            return Held(self, self._driver.module_from_buffer(cubin))

    def function(self, module: Held, name: str, shared: int = 0) -> Held:
        """A kernel of a module, to be launched by `launch` with so many bytes of shared memory."""
        with self.active():
            function = module.held.get_function(name)
            if shared:
                kind = self._driver.function_attribute.MAX_DYNAMIC_SHARED_SIZE_BYTES
                function.set_attribute(kind, shared)
            return Held(self, function)  # which keeps the module

    def launch(
        self, function: Held, grid: tuple[int, ...], block: tuple[int, ...], values: Sequence[int],
        shared: int = 0,
    ) -> None:  # fmt: skip
        """Launches on the stream. `values` are the arguments, of eight bytes each: addresses and
        i64; `shared` as `function` was told."""
        arguments = np.array(values, np.int64).tobytes()
        function.held._launch_kernel(grid, block, arguments, shared, self._target())
        if self.capturing is not None:
            self.capturing.put(values)

    # -- other streams
    @property
    def target(self) -> int:
        """The handle of the stream that work goes to now, for libraries that launch themselves."""
        return self._target().handle

    def wait_for(self, stream: int) -> None:
        """What follows on our stream waits for what stream number `stream` has to do now (1: the
        legacy default, 2: the thread's own)."""
        if stream not in (0, 1, self.stream.handle):
            with self.active():
                self._calls.order(stream, self.stream.handle)

    def let_wait(self, stream: int) -> None:
        """What follows on the other stream waits for ours."""
        if stream not in (0, 1, self.stream.handle):
            with self.active():
                self._calls.order(self.stream.handle, stream)

    # -- graphs
    @property
    def capturing(self) -> Capture | None:
        """What this thread captures now."""
        return getattr(self._here, "capture", None)

    def _target(self) -> Any:
        """The stream for what this thread launches and copies."""
        capture = self.capturing
        return self.stream if capture is None else capture.stream

    def capture(self, work: Callable[[], None]) -> Graph:
        """What this thread launches and copies in `work`, to be replayed; none of it runs now.

        It is captured on streams where nothing runs: what other threads launch meanwhile runs, and
        the legacy default stream stays usable.
        """
        with self.active():
            capture = Capture(self._calls, self._spare, lambda: self._driver.Stream(_NON_BLOCKING))
            self._here.capture = capture
            try:
                return capture.run(work)
            finally:
                self._here.capture = None

    def replay(self, graph: Graph) -> None:
        """Runs a captured graph on the stream."""
        with self.active():
            graph.launch(self.stream.handle)

    def cannot_decide(self) -> str:
        """Why graphs of this device have no conditional nodes; empty where they have."""
        return self._calls.cannot_decide(self.driver_version)

    @property
    def has_switch(self) -> bool:
        """Are there conditional nodes that choose one of several bodies?"""
        return self.driver_version >= SWITCH_VERSION


class _Depth(threading.local):
    """How many blocks of `Device.active` this thread is in."""

    count = 0


class _Active:
    """What `Device.active` answers; blocks may be nested, and it may be used by many threads.

    `suspects` says what an error that leaves the outermost block has to do with earlier calls.
    """

    def __init__(self, driver: Any, context: Any, suspects: Callable[[], str]):
        self._driver, self._context, self._depth = driver, context, _Depth()
        self._suspects = suspects

    def __enter__(self) -> None:
        if not self._depth.count:
            self._context.push()
        self._depth.count += 1

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        found = error
        if isinstance(error, self._driver.MemoryError):
            found = OutOfDeviceMemory(str(error))
        elif isinstance(error, self._driver.Error):
            found = DeviceError(str(error))
        if self._depth.count == 1 and type(found) is DeviceError:
            found = DeviceError(f"{found}{self._suspects()}")
        self._depth.count -= 1
        if not self._depth.count:
            self._context.pop()
        if found is not error:
            raise found from None


class Held:
    """Something of pycuda's that has to go while the context is current, whichever thread lets it
    go: memory of the pool, whose `int()` is its address, page-locked memory, a module, or a kernel.
    """

    __slots__ = ("_device", "held")

    def __init__(self, device: Device, held: Any):
        self._device, self.held = device, held

    def __int__(self) -> int:
        return int(self.held)

    def __del__(self) -> None:
        if not self._device.closed:
            with self._device.active():
                del self.held


_NON_BLOCKING = 1
_CONTEXT, _ORDINAL = 1, 9
"""CU_POINTER_ATTRIBUTE_CONTEXT (0 where memory is no context's), _DEVICE_ORDINAL"""
_devices: dict[int, Device] = {}
_lock = threading.Lock()


def device(number: int = 0) -> Device:
    """The device of a number; made at the first call.

    Raises:
        DeviceError: with what is missing.
    """
    with _lock:
        found = _devices.get(number)
        if found is None:
            found = _devices[number] = Device(number)
        return found


__all__ = [
    "Capture",
    "Device",
    "DeviceError",
    "Graph",
    "OutOfDeviceMemory",
    "available",
    "device",
]
