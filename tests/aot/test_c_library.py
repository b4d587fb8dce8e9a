"""What a C program relies on: wrong calls are error codes, nothing outside of the buffers is
touched, no memory is taken, threads do not disturb each other, weights may be a file.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphc
from graphc.aot import linkers
from graphc.aot.build import export
from graphc.aot.targets import host_platform

from . import c_caller

pytestmark = pytest.mark.skipif(c_caller.CC is None, reason="there is no C compiler (cc)")
RNG = np.random.default_rng(3)
W1 = RNG.normal(size=(70, 48)).astype(np.float32)
W2 = RNG.normal(size=(48, 10)).astype(np.float32)


def network(x: Any) -> Any:
    z = np.maximum(x @ W1, 0) @ W2
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def outer(x: Any, y: Any, a: Any) -> Any:
    return a * np.tanh(x[:, None] * y), x.sum()


EXPORTS = (
    export(network, x="f32[b, 70]"),
    export(outer, x="f64[m]", y="f64[n]", a="float"),
)

GUARDED = r"""
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "lib.h"

/* Memory that ends where a page ends that nobody may touch; the page before it is one, too. */
static char *guarded(size_t bytes) {
    size_t page = 4096, room = (bytes + page - 1) / page * page;
    char *p = mmap(NULL, room + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + page, room, PROT_READ | PROT_WRITE)) exit(90);
    return p + page + room - bytes;
}

static uint64_t state = 88172645463325252ull;
static uint64_t draw(uint64_t n) {
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state % n;
}

static const int64_t extents[] = {-1, INT64_MIN, INT64_MAX, (int64_t)1 << 62, (int64_t)1 << 40,
                                  -7, 3037000500, INT32_MIN};

int main(int argc, char **argv) {
    long calls = argc > 1 ? atol(argv[1]) : 1;
    enum { B = 5, M = 9, N = 7 };
    float *x = (float *)guarded(B * 70 * 4), *p = (float *)guarded(B * 10 * 4);
    double *u = (double *)guarded(M * 8), *v = (double *)guarded(N * 8);
    double *r = (double *)guarded(M * N * 8), *s = (double *)guarded(8);
    memset(x, 0, B * 70 * 4), memset(u, 0, M * 8), memset(v, 0, N * 8);
    int64_t need = lib_network_workspace_bytes(B), also = lib_outer_workspace_bytes(M, N);
    if (need < 0 || also < 0) return 1;
    char *workspace = guarded((size_t)(need > also ? need : also) + 64);
    if (lib_network(B, x, p, workspace, need)) return 2;
    if (lib_outer(M, N, u, v, 1.0, r, s, workspace, also)) return 3;
    memset(p, 0x5a, B * 10 * 4), memset(r, 0x5a, M * N * 8), memset(s, 0x5a, 8);
    for (long k = 0; k < calls; k++) {
        int32_t code = 0, wanted = 0;
        int64_t bad = extents[draw(8)];
        switch (draw(12)) {
        case 0: code = lib_network(bad, x, p, workspace, need), wanted = bad > 0 && bad < ((int64_t)1 << 50) ? LIB_WORKSPACE : LIB_EXTENT; break;
        case 1: code = lib_network(B, NULL, p, workspace, need), wanted = LIB_NULL; break;
        case 2: code = lib_network(B, x, NULL, workspace, need), wanted = LIB_NULL; break;
        case 3: code = lib_network(B, x, p, NULL, need), wanted = LIB_WORKSPACE; break;
        case 4: code = lib_network(B, x, p, workspace, (int64_t)draw((uint64_t)need - 63)), wanted = LIB_WORKSPACE; break;
        case 5: code = lib_network(B, (float *)((char *)x + 1 + draw(3)), p, workspace, need), wanted = LIB_ALIGNMENT; break;
        case 6: code = lib_network(B, x, (float *)((char *)p + 1 + draw(3)), workspace, need), wanted = LIB_ALIGNMENT; break;
        case 7: code = lib_outer(M, bad, u, NULL, 1.0, r, s, workspace, also), wanted = -1; break;
        case 8: code = lib_outer(bad, bad, u, v, 1.0, NULL, s, workspace, also), wanted = -1; break;
        case 9: code = lib_outer(M, N, u, v, 1.0, r, (double *)((char *)s + 4), workspace, also), wanted = LIB_ALIGNMENT; break;
        case 10: code = lib_outer(M, N, u, v, 1.0, r, NULL, workspace, also), wanted = LIB_NULL; break;
        default: code = lib_network(B, x, p, workspace, -(int64_t)draw(1000) - 1), wanted = LIB_WORKSPACE;
        }
        if (code <= 0 || code > LIB_CPU || (wanted > 0 && code != wanted)) {
            printf("call %ld: code %d, wanted %d, extent %lld\n", k, code, wanted, (long long)bad);
            return 4;
        }
        if (lib_network_workspace_bytes(bad) >= 0 && !(bad > 0 && bad < ((int64_t)1 << 50))) return 5;
        for (int i = 0; i < B * 10 * 4; i++) if (((char *)p)[i] != 0x5a) return 6;
        for (int i = 0; i < M * N * 8; i++) if (((char *)r)[i] != 0x5a) return 7;
    }
    if (lib_strerror(12345) == NULL || lib_strerror(-1) == NULL) return 8;
    puts("every call was refused");
    return 0;
}
"""  # noqa: E501

THREADS = r"""
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "lib.h"

enum { B = 3, THREADS = 8 };
static float x[B * 70], wanted[B * 10];
static long calls;

static long pages(void) {
    long size = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%ld %ld", &size, &resident) != 2) exit(90);
    fclose(f);
    return resident;
}

static void *work(void *unused) {
    float p[B * 10];
    int64_t bytes = lib_network_workspace_bytes(B);
    void *workspace = bytes > 0 ? malloc((size_t)bytes) : NULL;
    (void)unused;
    for (long k = 0; k < calls; k++) {
        memset(p, 0, sizeof p);
        if (lib_network(B, x, p, workspace, bytes)) return "code";
        if (memcmp(p, wanted, sizeof p)) return "bits";
    }
    free(workspace);
    return NULL;
}

static int round_of(void) {
    pthread_t threads[THREADS];
    int bad = 0;
    for (int k = 0; k < THREADS; k++)
        if (pthread_create(&threads[k], NULL, work, NULL)) exit(91);
    for (int k = 0; k < THREADS; k++) {
        void *said = NULL;
        pthread_join(threads[k], &said);
        if (said) puts(said), bad = 1;
    }
    return bad;
}

int main(int argc, char **argv) {
    long all = argc > 1 ? atol(argv[1]) : 8;
    for (int k = 0; k < B * 70; k++) x[k] = (float)(k % 13) * 0.1f - 0.5f;
    int64_t bytes = lib_network_workspace_bytes(B);
    void *workspace = bytes > 0 ? malloc((size_t)bytes) : NULL;
    if (lib_network(B, x, wanted, workspace, bytes)) return 2;
    calls = 100;
    if (round_of()) return 3;
    long before = pages();
    calls = all / THREADS;
    if (round_of()) return 4;
    long more = pages() - before;
    printf("%ld pages more\n", more);
    return more > 64 ? 5 : 0;
}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("library")
    c_caller.written(c_caller.library(*EXPORTS, cpu="auto"), place)
    return place


def built(folder: Path, text: str, *flags: str) -> Path:
    (folder / "main.c").write_text(text)
    command = [str(c_caller.CC), "-std=c99", "-Wall", "-Wextra", "-O1", *flags, "main.c", "lib.a",
               "-o", "main", "-pthread"]  # fmt: skip
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder / "main"


def wrong_calls(folder: Path, calls: int) -> None:
    """Under the sanitizers, where the compiler has them."""
    sanitizers = "-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-Wno-unused"
    probe = subprocess.run(
        [str(c_caller.CC), sanitizers[0], "-x", "c", "-", "-o", os.devnull],
        input="int main(void) { return 0; }", capture_output=True, text=True,
    )  # fmt: skip
    path = built(folder, GUARDED, *(sanitizers if probe.returncode == 0 else ()))
    done = subprocess.run([str(path), str(calls)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "every call was refused\n"), done.stderr[-2000:]


def test_wrong_calls_are_error_codes(folder: Path) -> None:
    wrong_calls(folder, 500)


@pytest.mark.heavy
def test_ten_thousand_wrong_calls(folder: Path) -> None:
    wrong_calls(folder, 10_000)


def calls_of_threads(folder: Path, calls: int) -> None:
    done = subprocess.run([str(built(folder, THREADS)), str(calls)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_threads_do_not_disturb_each_other(folder: Path) -> None:
    calls_of_threads(folder, 8_000)


@pytest.mark.heavy
def test_a_million_calls_from_eight_threads(folder: Path) -> None:
    calls_of_threads(folder, 1_000_000)


@pytest.mark.parametrize("threads", ["pool", "openmp"])
def test_loops_on_threads(threads: str, tmp_path: Path) -> None:
    """The same bits as on one thread; eight callers at once find the pool busy."""
    made = c_caller.library(EXPORTS[0], threads=threads)
    flags = ("-fopenmp",) if threads == "openmp" else ("-pthread",)
    program = c_caller.compiled(made, tmp_path, libraries=flags)
    x = RNG.normal(size=(700, 70)).astype(np.float32)
    answer = program.call("network", [700], x)
    assert answer.code == 0
    assert answer.outputs[0].tobytes() == graphc.jit(network)(x).tobytes()
    if threads == "pool":
        calls_of_threads(tmp_path, 4_000)


FORKS = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "lib.h"
enum { B = 900 };
static float x[B * 70], wanted[B * 10], p[B * 10];
int main(void) {
    for (int k = 0; k < B * 70; k++) x[k] = (float)(k % 17) * 0.1f;
    lib_set_threads(3);
    int64_t bytes = lib_network_workspace_bytes(B);
    void *workspace = malloc((size_t)bytes);
    if (lib_network(B, x, wanted, workspace, bytes)) return 1;
    for (int k = 0; k < 5; k++) {
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            if (lib_network(B, x, p, workspace, bytes)) _exit(2);
            _exit(memcmp(p, wanted, sizeof p) ? 3 : 0);
        }
        int status = 0;
        if (waitpid(child, &status, 0) != child || status) return 4;
        memset(p, 0, sizeof p);
        if (lib_network(B, x, p, workspace, bytes) || memcmp(p, wanted, sizeof p)) return 5;
    }
    return 0;
}
"""


def test_a_forked_child_has_a_pool_of_its_own(tmp_path: Path) -> None:
    c_caller.written(c_caller.library(EXPORTS[0], threads="pool"), tmp_path)
    done = subprocess.run([str(built(tmp_path, FORKS, "-D_GNU_SOURCE"))])
    assert done.returncode == 0


# ---------------------------------------------------------------------------------- the library
def shared(tmp_path: Path, **options: Any) -> Path:
    made = c_caller.library(*EXPORTS, cpu="auto", **options)
    path = tmp_path / "lib.so"
    path.write_bytes(linkers.link(made, "ld").content)
    return path


@pytest.fixture
def nm() -> str:
    found = shutil.which("nm")
    if found is None or "ld" not in linkers.found(host_platform()):
        pytest.skip("binutils (nm, ld) are not there")
    return found


def test_it_needs_nothing_but_the_copying_of_bytes(nm: str, tmp_path: Path) -> None:
    path = shared(tmp_path)
    out = subprocess.run([nm, "-D", "--undefined-only", str(path)], capture_output=True, text=True)
    needed = {line.split()[-1].partition("@")[0] for line in out.stdout.splitlines()}
    assert needed <= {"memcpy", "memset", "memmove", "memcmp", "getauxval"}, needed


def test_it_has_one_variable(nm: str, tmp_path: Path) -> None:
    """Which processor there is. The other one is a constant with an address in it, which nobody can
    write once the library is loaded (RELRO)."""
    made = c_caller.library(*EXPORTS, cpu="auto")
    found = []
    for member in made.members:
        path = tmp_path / member.name
        path.write_bytes(member.content)
        out = subprocess.run([nm, str(path)], capture_output=True, text=True, check=True).stdout
        found += re.findall(r"^[0-9a-f]+ [bBdDcC] (\S+)$", out, re.MULTILINE)
    assert found == ["lib.found", "lib.runtime"]


def test_it_gives_its_functions_only(nm: str, tmp_path: Path) -> None:
    out = subprocess.run(
        [nm, "-D", "--defined-only", str(shared(tmp_path))], capture_output=True, text=True
    ).stdout
    names = {line.split()[-1] for line in out.splitlines() if " T " in line}
    assert names == set(c_caller.library(*EXPORTS).interface.symbols)


def test_two_builds_are_equal() -> None:
    first, second = (c_caller.library(*EXPORTS, cpu="auto") for _ in range(2))
    assert first.static == second.static and first.header == second.header


# -------------------------------------------------------------------------------- weights in a file
@pytest.fixture(scope="module")
def with_file(tmp_path_factory: pytest.TempPathFactory) -> c_caller.Program:
    made = c_caller.library(EXPORTS[0], embed=False)
    place = tmp_path_factory.mktemp("weights")
    flags = ("-std=gnu99", "-Wall", "-Wextra", "-Werror")
    return c_caller.compiled(made, place, flags=flags)


def test_weights_in_a_file(with_file: c_caller.Program) -> None:
    x = RNG.normal(size=(6, 70)).astype(np.float32)
    with_file.weights = with_file.path.with_name("lib.weights")
    answer = with_file.call("network", [6], x)
    assert answer.code == 0
    assert answer.outputs[0].tobytes() == graphc.jit(network)(x).tobytes()
    assert sum(len(m.content) for m in with_file.library.members) < W1.nbytes + 60_000


def test_weights_that_are_wrong(with_file: c_caller.Program, tmp_path: Path) -> None:
    x = np.zeros((2, 70), np.float32)
    good = with_file.path.with_name("lib.weights").read_bytes()
    path = tmp_path / "w"
    with_file.weights = path
    for content, code in (
        (good[:-1], 1), (good + b"\0", 1), (b"", 1), (bytes(len(good)), 6),
        (good[:20] + bytes([good[20] ^ 1]) + good[21:], 6),
    ):  # fmt: skip
        path.write_bytes(content)
        assert with_file.call("network", [2], x).code == code
    path.unlink()
    assert with_file.call("network", [2], x).code == 1
