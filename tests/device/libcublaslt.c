// A stand-in for libcublasLt.so: the calls that graphc makes, on the processor, as the library's
// documentation defines them: matrices by columns, leading dimensions, transposes, strides of a
// batch. What the library refuses is refused: sizes of attributes, leading dimensions below the
// rows, shapes that do not fit, dtypes that are not multiplied, too little workspace, and arrays
// less aligned than the algorithm was asked for. A product is launched on the stream like a kernel
// (the driver is libcuda.c), so a captured one is computed when the graph is replayed.

#define _GNU_SOURCE
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef int Status;
typedef void* Handle;
enum { SUCCESS = 0, NOT_INITIALIZED = 1, ALLOC_FAILED = 3, INVALID_VALUE = 7, EXECUTION_FAILED = 13,
       NOT_SUPPORTED = 15 };
enum { R_32F = 0, R_64F = 1, R_16F = 2, R_16BF = 14 };
enum { COMPUTE_32F = 68, COMPUTE_64F = 70, COMPUTE_TF32 = 77 };
#define E __attribute__((visibility("default")))

extern int cuCtxGetCurrent(Handle*);
extern int cuLaunchKernel(Handle, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                          unsigned, Handle, void**, void**);

E size_t cublasLtGetVersion(void) { return 130100; }
E const char* cublasLtGetStatusName(Status s) {
  switch (s) {
    case SUCCESS: return "CUBLAS_STATUS_SUCCESS";
    case NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
    case ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
    case INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
    case EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
    case NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
  }
  return "unrecognized status";
}

// ---------------------------------------------------------------------------------- descriptors

typedef struct { int magic; } Lt;
E Status cublasLtCreate(Lt** made) {
  Handle context = 0;
  cuCtxGetCurrent(&context);
  if (!context) return NOT_INITIALIZED;
  if (getenv("FAKE_CUBLASLT_OLD_DRIVER")) return NOT_INITIALIZED;
  *made = calloc(1, sizeof(Lt));
  (*made)->magic = 0x17;
  return SUCCESS;
}
E Status cublasLtDestroy(Lt* handle) { free(handle); return SUCCESS; }

typedef struct { int compute, scale, transpose[2]; } Description;
E Status cublasLtMatmulDescCreate(Description** made, int compute, int scale) {
  *made = calloc(1, sizeof(Description));
  (*made)->compute = compute;
  (*made)->scale = scale;
  return SUCCESS;
}
E Status cublasLtMatmulDescDestroy(Description* d) { free(d); return SUCCESS; }
E Status cublasLtMatmulDescSetAttribute(Description* d, int attribute, const void* from, size_t n) {
  if (attribute != 3 && attribute != 4) return NOT_SUPPORTED;  // TRANSA, TRANSB: all that is used
  if (!from || n != 4) return INVALID_VALUE;
  memcpy(&d->transpose[attribute - 3], from, 4);
  return SUCCESS;
}

typedef struct { uint64_t rows, columns; int64_t ld, stride; int type, count; } Layout;
E Status cublasLtMatrixLayoutCreate(Layout** made, int type, uint64_t rows, uint64_t columns,
                                    int64_t ld) {
  *made = malloc(sizeof(Layout));
  **made = (Layout){rows, columns, ld, 0, type, 1};
  return SUCCESS;
}
E Status cublasLtMatrixLayoutDestroy(Layout* l) { free(l); return SUCCESS; }
E Status cublasLtMatrixLayoutSetAttribute(Layout* l, int attribute, const void* from, size_t n) {
  if (attribute != 5 && attribute != 6) return NOT_SUPPORTED;  // BATCH_COUNT, STRIDED_BATCH_OFFSET
  if (!from || n != (attribute == 5 ? 4 : 8)) return INVALID_VALUE;
  memcpy(attribute == 5 ? (void*)&l->count : (void*)&l->stride, from, n);
  return SUCCESS;
}

typedef struct { uint64_t workspace; uint32_t reductions, aligned[4]; } Preference;
E Status cublasLtMatmulPreferenceCreate(Preference** made) {
  *made = malloc(sizeof(Preference));
  **made = (Preference){0, 7, {256, 256, 256, 256}};
  return SUCCESS;
}
E Status cublasLtMatmulPreferenceDestroy(Preference* p) { free(p); return SUCCESS; }
E Status cublasLtMatmulPreferenceSetAttribute(Preference* p, int attribute, const void* from,
                                              size_t n) {
  void* to = attribute == 1 ? (void*)&p->workspace
             : attribute == 3 ? (void*)&p->reductions
             : attribute >= 5 && attribute <= 8 ? (void*)&p->aligned[attribute - 5] : 0;
  if (!to) return NOT_SUPPORTED;
  if (!from || n != (attribute == 1 ? 8 : 4)) return INVALID_VALUE;
  memcpy(to, from, n);
  return SUCCESS;
}

// ------------------------------------------------------------------------------------- algorithms

typedef struct { uint64_t magic, workspace, aligned[4], unused[2]; } Algorithm;
typedef struct {
  Algorithm algorithm;
  size_t workspace;
  Status state;
  float waves;
  int reserved[4];
} Heuristic;

static int size_of(int type) {
  return type == R_64F ? 8 : type == R_32F ? 4 : type == R_16F || type == R_16BF ? 2 : 0;
}

// Do shapes and dtypes fit?
static Status fits(const Description* d, const Layout* a, const Layout* b, const Layout* c,
                   const Layout* y) {
  const Layout* all[4] = {a, b, c, y};
  if (!d || !a || !b || !c || !y) return INVALID_VALUE;
  for (int i = 0; i < 4; ++i) {
    if (!all[i]->rows || !all[i]->columns) return INVALID_VALUE;
    if (all[i]->ld < (int64_t)all[i]->rows) return INVALID_VALUE;
    if (all[i]->rows > INT32_MAX || all[i]->columns > INT32_MAX) return NOT_SUPPORTED;
    if (all[i]->count != y->count || all[i]->count < 1) return INVALID_VALUE;
  }
  uint64_t m = d->transpose[0] ? a->columns : a->rows, k = d->transpose[0] ? a->rows : a->columns;
  uint64_t n = d->transpose[1] ? b->rows : b->columns, l = d->transpose[1] ? b->columns : b->rows;
  if (k != l || y->rows != m || y->columns != n) return INVALID_VALUE;
  if (c->rows != m || c->columns != n || c->type != y->type) return INVALID_VALUE;
  if (a->type != b->type) return NOT_SUPPORTED;
  if (a->type == R_64F)
    return d->compute == COMPUTE_64F && d->scale == R_64F && y->type == R_64F ? SUCCESS
                                                                              : NOT_SUPPORTED;
  if (!size_of(a->type) || d->scale != R_32F) return NOT_SUPPORTED;
  if (y->type != R_32F && y->type != a->type) return NOT_SUPPORTED;
  if (d->compute == COMPUTE_TF32) return a->type == R_32F ? SUCCESS : NOT_SUPPORTED;
  return d->compute == COMPUTE_32F ? SUCCESS : NOT_SUPPORTED;
}

E Status cublasLtMatmulAlgoGetHeuristic(Lt* handle, Description* d, Layout* a, Layout* b, Layout* c,
                                        Layout* y, Preference* p, int asked, Heuristic* found,
                                        int* count) {
  if (!handle || handle->magic != 0x17) return NOT_INITIALIZED;
  if (asked <= 0 || !found || !count || !p) return INVALID_VALUE;
  Status status = fits(d, a, b, c, y);
  if (status) return status;
  *count = 0;
  Layout* all[4] = {a, b, c, y};
  for (int i = 0; i < 4; ++i)
    if (p->aligned[i] < (uint32_t)size_of(all[i]->type)) return SUCCESS;  // none is found
  memset(found, 0, sizeof *found);
  found->algorithm.magic = 0xA160;
  uint64_t depth = d->transpose[0] ? a->rows : a->columns;
  if (depth >= 64 && (p->reductions & 2)) {  // parts of the terms wait in the workspace
    uint64_t wanted = 4 * y->rows * y->columns * y->count;
    if (wanted <= p->workspace) found->workspace = found->algorithm.workspace = wanted;
  }
  for (int i = 0; i < 4; ++i) found->algorithm.aligned[i] = p->aligned[i];
  found->waves = 1;
  *count = 1;
  return SUCCESS;
}

// --------------------------------------------------------------------------------------- products

static float half_to_float(uint16_t h) {
  int exponent = h >> 10 & 31;
  float sign = h & 0x8000 ? -1.0f : 1.0f, part = h & 1023;
  if (exponent == 31) return part ? NAN : sign * INFINITY;
  return sign * (exponent ? ldexpf(1024 + part, exponent - 25) : ldexpf(part, -24));
}
static uint16_t float_to_half(float f) {
  uint16_t sign = signbit(f) ? 0x8000 : 0;
  float x = fabsf(f);
  if (isnan(f)) return sign | 0x7E00;
  if (x >= 65520) return sign | 0x7C00;
  int exponent;
  frexpf(x, &exponent);  // x = [0.5, 1) * 2^exponent
  int unit = exponent - 11 < -24 ? -24 : exponent - 11;
  float steps = nearbyintf(ldexpf(x, -unit));  // to even
  if (unit == -24) return sign | (uint16_t)steps;  // a carry makes it the least normal number
  if (steps == 2048) {
    steps = 1024;
    ++unit;
  }
  return sign | (uint16_t)((unit + 25) << 10) | ((uint16_t)steps & 1023);
}
static float bits_to_float(uint32_t u) {
  float f;
  memcpy(&f, &u, 4);
  return f;
}
static uint32_t float_to_bits(float f) {
  uint32_t u;
  memcpy(&u, &f, 4);
  return u;
}
// The float with its last bits rounded away, to even.
static float rounded(float f, int bits) {
  uint32_t u = float_to_bits(f);
  if (isnan(f)) return bits_to_float((u | 1u << 22) & -(1u << bits));
  u += (1u << (bits - 1)) - 1 + (u >> bits & 1);
  return bits_to_float(u & -(1u << bits));
}

static double element(const void* base, int type, int64_t at) {
  switch (type) {
    case R_64F: return ((const double*)base)[at];
    case R_32F: return ((const float*)base)[at];
    case R_16F: return half_to_float(((const uint16_t*)base)[at]);
    default: return bits_to_float((uint32_t)((const uint16_t*)base)[at] << 16);
  }
}
static void store(void* base, int type, int64_t at, double value) {
  switch (type) {
    case R_64F: ((double*)base)[at] = value; return;
    case R_32F: ((float*)base)[at] = value; return;
    case R_16F: ((uint16_t*)base)[at] = float_to_half(value); return;
    default: ((uint16_t*)base)[at] = float_to_bits(rounded(value, 16)) >> 16;
  }
}

typedef struct {
  Description d;
  Layout a, b, c, y;
  const void *from_a, *from_b, *from_c;
  void *to, *workspace;
  uint64_t workspace_bytes;
  double alpha, beta;
} Product;

static void multiply(const unsigned* grid, const unsigned* block, const void* arguments) {
  const Product* p = arguments;
  memset(p->workspace, 0x5A, p->workspace_bytes);  // whatever waited there is gone
  int wide = p->a.type == R_64F, tf32 = p->d.compute == COMPUTE_TF32;
  int64_t depth = p->d.transpose[0] ? p->a.rows : p->a.columns;
  for (int64_t z = 0; z < p->y.count; ++z)
    for (int64_t j = 0; j < (int64_t)p->y.columns; ++j)
      for (int64_t i = 0; i < (int64_t)p->y.rows; ++i) {
        double total = 0;
        float narrow = 0;
        for (int64_t k = 0; k < depth; ++k) {
          int64_t at = z * p->a.stride + (p->d.transpose[0] ? k + i * p->a.ld : i + k * p->a.ld);
          int64_t bt = z * p->b.stride + (p->d.transpose[1] ? j + k * p->b.ld : k + j * p->b.ld);
          double x = element(p->from_a, p->a.type, at), w = element(p->from_b, p->b.type, bt);
          if (tf32) x = rounded(x, 13), w = rounded(w, 13);
          if (wide) total += x * w;
          else narrow += (float)x * (float)w;
        }
        double value = p->alpha * (wide ? total : narrow);
        int64_t place = z * p->y.stride + i + j * p->y.ld;
        if (p->beta)
          value += p->beta * element(p->from_c, p->c.type, z * p->c.stride + i + j * p->c.ld);
        store(p->to, p->y.type, place, value);
      }
}

E Status cublasLtMatmul(Lt* handle, Description* d, const void* alpha, const void* a, Layout* la,
                        const void* b, Layout* lb, const void* beta, const void* c, Layout* lc,
                        void* y, Layout* ly, const Algorithm* algorithm, void* workspace,
                        size_t workspace_bytes, Handle stream) {
  if (!handle || handle->magic != 0x17) return NOT_INITIALIZED;
  Status status = fits(d, la, lb, lc, ly);
  if (status) return status;
  if (!alpha || !beta || !a || !b || !c || !y) return INVALID_VALUE;
  if (!algorithm || algorithm->magic != 0xA160) return INVALID_VALUE;
  if (algorithm->workspace > workspace_bytes) return INVALID_VALUE;
  if (workspace_bytes && !workspace) return INVALID_VALUE;
  if ((size_t)workspace % 256) return INVALID_VALUE;
  const void* all[4] = {a, b, c, y};
  for (int i = 0; i < 4; ++i)
    if ((size_t)all[i] % algorithm->aligned[i]) return EXECUTION_FAILED;
  int wide = d->scale == R_64F;
  double scales[2] = {wide ? *(double*)alpha : *(float*)alpha,
                      wide ? *(double*)beta : *(float*)beta};
  Product product = {*d, *la, *lb, *lc, *ly, a, b, c, y, workspace, algorithm->workspace,
                     scales[0], scales[1]};
  size_t size = sizeof product;
  void* extra[] = {(void*)1, &product, (void*)2, &size, 0};
  int failed = cuLaunchKernel(multiply, 1, 1, 1, 1, 1, 1, 0, stream, 0, extra);
  return failed ? EXECUTION_FAILED : SUCCESS;
}
