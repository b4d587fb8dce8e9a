// A stand-in for libcuda.so.1: the driver's calls that pycuda and graphc make, on the processor.
//
// Memory is malloc's. A module's image is the text "CPUSO:<path>" of a shared library, whose
// functions NAME__cpu(grid, block, arguments) are the kernels (tests/device/standin.py makes them).
// All work is done when it is asked for, so it shows no races; a stream that is captured keeps its
// launches, and a graph does them. Calls that need a current context are refused without one.
// Limits that tests set: FAKE_CUDA_BYTES, the memory there is.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef int CUresult;
typedef void* Handle;
typedef unsigned long long Address;
typedef void (*Kernel)(const unsigned* grid, const unsigned* block, const void* arguments);
enum { INVALID_VALUE = 1, OUT_OF_MEMORY = 2, INVALID_CONTEXT = 201, NO_BINARY = 209,
       NOT_FOUND = 500, NOT_SUPPORTED = 801, CAPTURE_UNSUPPORTED = 900 };
#define E __attribute__((visibility("default")))

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

// ------------------------------------------------------------------------------------ the device

E CUresult cuInit(unsigned f) { return 0; }
E CUresult cuDriverGetVersion(int* v) { *v = 13000; return 0; }
E CUresult cuGetErrorString(CUresult e, const char** p) {
  *p = e == OUT_OF_MEMORY ? "out of memory" : e == NOT_FOUND ? "named symbol not found"
       : e == INVALID_VALUE ? "invalid argument" : "an error of the stand-in";
  return 0;
}
E CUresult cuGetErrorName(CUresult e, const char** p) { return cuGetErrorString(e, p); }
E CUresult cuDeviceGetCount(int* n) { *n = 1; return 0; }
E CUresult cuDeviceGet(int* d, int i) { *d = i; return i ? 101 : 0; }
E CUresult cuDeviceGetName(char* s, int n, int d) { snprintf(s, n, "the processor"); return 0; }
E CUresult cuDeviceTotalMem_v2(size_t* b, int d) { *b = 4ull << 30; return 0; }
E CUresult cuDeviceGetAttribute(int* v, int attribute, int d) {
  switch (attribute) {
    case 1: case 2: case 3: *v = 1024; break;           // threads of a block
    case 4: *v = 64; break;
    case 5: *v = 2147483647; break;                     // the grid
    case 6: case 7: *v = 65535; break;
    case 8: *v = 49152; break;                          // shared memory of a block
    case 10: *v = 32; break;                            // a warp
    case 16: *v = 2; break;                             // processors
    case 75: *v = 9; break;                             // compute capability
    case 76: *v = 0; break;
    default: *v = 1;
  }
  return 0;
}
E CUresult cuDeviceComputeCapability(int* a, int* b, int d) { *a = 9; *b = 0; return 0; }

// ------------------------------------------------------------------------------------- contexts

static __thread Handle stack[64];
static __thread int depth;
#define NEED if (!depth) return INVALID_CONTEXT;
E CUresult cuDevicePrimaryCtxRetain(Handle* c, int d) { *c = (Handle)1; return 0; }
E CUresult cuDevicePrimaryCtxRelease_v2(int d) { return 0; }
E CUresult cuCtxPushCurrent_v2(Handle c) { stack[depth++] = c; return 0; }
E CUresult cuCtxPopCurrent_v2(Handle* c) {
  if (!depth) return INVALID_CONTEXT;
  --depth;
  if (c) *c = stack[depth];
  return 0;
}
E CUresult cuCtxGetCurrent(Handle* c) { *c = depth ? stack[depth - 1] : 0; return 0; }
E CUresult cuCtxGetDevice(int* d) { *d = 0; return depth ? 0 : INVALID_CONTEXT; }
E CUresult cuCtxSynchronize(void) { return 0; }

// --------------------------------------------------------------------------------------- memory

static size_t used;
static size_t limit(void) {
  const char* text = getenv("FAKE_CUDA_BYTES");
  return text ? strtoull(text, 0, 10) : 4ull << 30;
}
E CUresult cuMemGetInfo_v2(size_t* f, size_t* t) { *t = limit(); *f = *t - used; return 0; }
E CUresult cuMemAlloc_v2(Address* p, size_t n) {
  NEED
  if (used + n > limit()) return OUT_OF_MEMORY;
  char* block = aligned_alloc(256, (n + 511) / 256 * 256);
  if (!block) return OUT_OF_MEMORY;
  *(size_t*)block = n;
  memset(block + 256, 0xA5, n);  // what nobody wrote shows
  used += n;
  *p = (Address)(block + 256);
  return 0;
}
E CUresult cuMemFree_v2(Address p) {
  NEED
  char* block = (char*)p - 256;
  used -= *(size_t*)block;
  free(block);
  return 0;
}
E CUresult cuMemHostAlloc(void** p, size_t n, unsigned f) {
  *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096);
  return 0;
}
E CUresult cuMemFreeHost(void* p) { free(p); return 0; }

// ------------------------------------------------------------- streams, launches, captured graphs

typedef struct Launch {
  Kernel kernel;
  unsigned grid[3], block[3];
  void* arguments;
  struct Launch* next;
} Launch;
typedef struct { Launch *first, *last; } Graph;
typedef struct { Graph* captured; } Stream;

static int is_captured(Stream* s) { return s && (size_t)s > 2 && s->captured; }
E CUresult cuStreamCreate(Handle* s, unsigned f) {
  NEED
  *s = calloc(1, sizeof(Stream));
  return 0;
}
E CUresult cuStreamDestroy_v2(Handle s) { free(s); return 0; }
E CUresult cuStreamSynchronize(Stream* s) { return is_captured(s) ? CAPTURE_UNSUPPORTED : 0; }
E CUresult cuStreamQuery(Handle s) { return 0; }
E CUresult cuStreamWaitEvent(Handle s, Handle e, unsigned f) { return 0; }
E CUresult cuStreamBeginCapture_v2(Stream* s, int mode) {
  NEED
  if (!s || is_captured(s)) return CAPTURE_UNSUPPORTED;  // the legacy stream has no capture
  s->captured = calloc(1, sizeof(Graph));
  return 0;
}
E CUresult cuStreamEndCapture(Stream* s, Graph** g) {
  *g = s->captured;
  s->captured = 0;
  return 0;
}
E CUresult cuGraphInstantiateWithFlags(Graph** made, Graph* g, unsigned long long f) {
  *made = malloc(sizeof(Graph));
  **made = *g;
  g->first = 0;  // the launches belong to what was made
  return 0;
}
static void drop(Graph* g) {
  for (Launch *l = g->first, *next; l; l = next) {
    next = l->next;
    free(l->arguments);
    free(l);
  }
  free(g);
}
E CUresult cuGraphDestroy(Graph* g) { drop(g); return 0; }
E CUresult cuGraphExecDestroy(Graph* g) { drop(g); return 0; }
E CUresult cuGraphLaunch(Graph* g, Stream* s) {
  NEED
  for (Launch* l = g->first; l; l = l->next) l->kernel(l->grid, l->block, l->arguments);
  return 0;
}
static void keep(Stream* s, Launch l, size_t size) {
  Launch* kept = malloc(sizeof l);
  *kept = l;
  kept->arguments = memcpy(malloc(size + 1), l.arguments, size);
  if (s->captured->last) s->captured->last->next = kept;
  else s->captured->first = kept;
  s->captured->last = kept;
}
E CUresult cuLaunchKernel(Kernel f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                          unsigned by, unsigned bz, unsigned shared, Stream* s, void** pointers,
                          void** extra) {
  Launch l = {f, {gx, gy, gz}, {bx, by, bz}, 0, 0};
  size_t size = 0;
  NEED
  if (!extra || pointers) return NOT_SUPPORTED;  // pycuda passes one buffer
  if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !bx || (size_t)bx * by * bz > 1024)
    return INVALID_VALUE;
  for (int i = 0; extra[i]; i += 2) {
    if (extra[i] == (void*)1) l.arguments = extra[i + 1];
    if (extra[i] == (void*)2) size = *(size_t*)extra[i + 1];
  }
  if (!is_captured(s)) {
    f(l.grid, l.block, l.arguments);
    return 0;
  }
  keep(s, l, size);
  return 0;
}

// A copy on the device is done by a graph like a launch.
typedef struct { Address to, from; size_t bytes; } Copied;
static void copy(const unsigned* grid, const unsigned* block, const void* arguments) {
  const Copied* c = arguments;
  memmove((void*)c->to, (void*)c->from, c->bytes);
}
E CUresult cuMemcpyDtoD_v2(Address to, Address from, size_t n) {
  NEED
  memmove((void*)to, (void*)from, n);
  return 0;
}
E CUresult cuMemcpyDtoDAsync_v2(Address to, Address from, size_t n, Stream* s) {
  if (!is_captured(s)) return cuMemcpyDtoD_v2(to, from, n);
  Copied c = {to, from, n};
  keep(s, (Launch){copy, {1, 1, 1}, {1, 1, 1}, &c, 0}, sizeof c);
  return 0;
}
#define COPY(name, to, from)                                                    \
  E CUresult name##_v2(to d, from s, size_t n) {                                \
    NEED                                                                        \
    memmove((void*)d, (void*)s, n);                                             \
    return 0;                                                                   \
  }                                                                             \
  E CUresult name##Async_v2(to d, from s, size_t n, Stream* t) {                \
    NEED                                                                        \
    if (is_captured(t)) return CAPTURE_UNSUPPORTED;                             \
    memmove((void*)d, (void*)s, n);                                             \
    return 0;                                                                   \
  }
COPY(cuMemcpyHtoD, Address, const void*)
COPY(cuMemcpyDtoH, void*, Address)
typedef struct { Address at; size_t bytes; unsigned char value; } Filled;
static void fill(const unsigned* grid, const unsigned* block, const void* arguments) {
  const Filled* f = arguments;
  memset((void*)f->at, f->value, f->bytes);
}
E CUresult cuMemsetD8_v2(Address p, unsigned char c, size_t n) {
  NEED
  memset((void*)p, c, n);
  return 0;
}
E CUresult cuMemsetD8Async(Address p, unsigned char c, size_t n, Stream* s) {
  if (!is_captured(s)) return cuMemsetD8_v2(p, c, n);
  Filled f = {p, n, c};
  keep(s, (Launch){fill, {1, 1, 1}, {1, 1, 1}, &f, 0}, sizeof f);
  return 0;
}

// --------------------------------------------------------------------------------------- modules

E CUresult cuModuleLoadDataEx(Handle* m, const char* image, unsigned n, void* o, void** v) {
  NEED
  if (strncmp(image, "CPUSO:", 6)) return NO_BINARY;
  *m = dlopen(image + 6, RTLD_NOW | RTLD_LOCAL);
  if (!*m) fprintf(stderr, "%s\n", dlerror());
  return *m ? 0 : NO_BINARY;
}
E CUresult cuModuleLoadData(Handle* m, const char* i) { return cuModuleLoadDataEx(m, i, 0, 0, 0); }
E CUresult cuModuleUnload(Handle m) { return depth ? 0 : INVALID_CONTEXT; }
E CUresult cuModuleGetFunction(Handle* f, Handle m, const char* name) {
  char symbol[512];
  snprintf(symbol, sizeof symbol, "%s__cpu", name);
  *f = dlsym(m, symbol);
  return *f ? 0 : NOT_FOUND;
}
E CUresult cuFuncSetAttribute(Handle f, int a, int v) {
  return a == 8 && v <= 232448 ? 0 : INVALID_VALUE;  // dynamic shared memory
}
E CUresult cuFuncGetAttribute(int* v, int a, Handle f) { *v = a ? 0 : 1024; return 0; }

// ---------------------------------------------------------------------------------------- events

E CUresult cuEventCreate(Handle* e, unsigned f) {
  NEED
  *e = calloc(1, 8);
  return 0;
}
E CUresult cuEventRecord(double* e, Handle s) { *e = now(); return 0; }
E CUresult cuEventSynchronize(Handle e) { return 0; }
E CUresult cuEventQuery(Handle e) { return 0; }
E CUresult cuEventElapsedTime(float* t, double* a, double* b) { *t = *b - *a; return 0; }
E CUresult cuEventElapsedTime_v2(float* t, double* a, double* b) { *t = *b - *a; return 0; }
E CUresult cuEventDestroy_v2(Handle e) { free(e); return 0; }
E CUresult cuProfilerStart(void) { return 0; }
E CUresult cuProfilerStop(void) { return 0; }

// What pycuda is linked against and nobody here calls.
#define NONE(name) E CUresult name(void) { return NOT_SUPPORTED; }
#include "unsupported.h"
