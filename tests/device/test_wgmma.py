"""The test of wgmma that a GPU runs: on one, or on the stand-in, which reads descriptors as PTX
says."""

from __future__ import annotations

import pytest
from graphc_runtime import cuda

from . import on_gpu_wgmma, standin


@pytest.fixture(scope="module")
def driver() -> on_gpu_wgmma.Driver:
    device = cuda.device()
    if device.name == "the processor":
        return on_gpu_wgmma.Driver(standin.image(on_gpu_wgmma.source()))
    if device.arch != "sm_90":
        pytest.skip(f"wgmma is for sm_90, the device is {device.arch}")
    return on_gpu_wgmma.Driver(on_gpu_wgmma.compiled())


def test_tiles_are_read_as_they_are_laid_out(
    driver: on_gpu_wgmma.Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    assert on_gpu_wgmma.exact(driver)
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.endswith(" exact") for line in lines) == 8 and lines[-1] == "as designed"


def test_rates_are_printed(driver: on_gpu_wgmma.Driver, capsys: pytest.CaptureFixture[str]) -> None:
    on_gpu_wgmma.fast(driver, 1)
    assert capsys.readouterr().out.count("TFLOP/s") == 12
