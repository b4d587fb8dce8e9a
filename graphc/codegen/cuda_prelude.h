// The device functions that printed kernels call. Placed once at the head of every translation unit
// by graphc/codegen/cuda.py; needs no header of the host, so nvcc, NVRTC and (through cuda_cpu.h)
// a C++ compiler take it. The meaning of each function is that of graphc/loops/scalar.py.
//
// GC_HALF is defined by the translation unit when a kernel uses __half or __nv_bfloat16.

#define GC_DEVICE static __device__ __forceinline__

#if defined(GC_HALF) && !defined(CUDA_CPU)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#endif

// ---------------------------------------------------------------------------------------- types

// The unsigned type in which T wraps around: never narrower than int, whose overflow is undefined.
template <class T> struct gc_wide { typedef unsigned int type; };
template <> struct gc_wide<long long> { typedef unsigned long long type; };
template <> struct gc_wide<unsigned long long> { typedef unsigned long long type; };

// N elements that are moved by one instruction where N * sizeof(T) allows it.
template <class T, int N> struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) gc_pack {
  T at[N];
};

template <class To, class From> GC_DEVICE To gc_bitcast(From from) {
  static_assert(sizeof(To) == sizeof(From), "a bitcast keeps the width");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

// ------------------------------------------------------------------------------- words of parts

template <class T> GC_DEVICE unsigned int gc_join2(T a, T b) {
  return (unsigned int)gc_bitcast<unsigned short>(a) |
         (unsigned int)gc_bitcast<unsigned short>(b) << 16;
}
template <class T> GC_DEVICE unsigned int gc_join4(T a, T b, T c, T d) {
  return (unsigned int)(unsigned char)a | (unsigned int)(unsigned char)b << 8 |
         (unsigned int)(unsigned char)c << 16 | (unsigned int)(unsigned char)d << 24;
}
GC_DEVICE int gc_dot_u8_i8(unsigned int a, unsigned int b) {
  int total = 0;  // at most 4 * 255 * 128
  for (int k = 0; k < 32; k += 8) total += (int)(unsigned char)(a >> k) * (signed char)(b >> k);
  return total;
}
GC_DEVICE int gc_dot_i16(unsigned int a, unsigned int b) {
  unsigned int low = (unsigned int)((short)a * (short)b);
  return (int)(low + (unsigned int)((short)(a >> 16) * (short)(b >> 16)));
}
GC_DEVICE float gc_dot_bf16(unsigned int a, unsigned int b) {
  float high = gc_bitcast<float>(a & 0xffff0000u) * gc_bitcast<float>(b & 0xffff0000u);
  return gc_bitcast<float>(a << 16) * gc_bitcast<float>(b << 16) + high;
}

// ------------------------------------------------------------------------------ index arithmetic

// Python's // and % of indices: b > 0, a of any sign.
GC_DEVICE long long gc_index_div(long long a, long long b) {
  long long q = a / b;
  return a % b < 0 ? q - 1 : q;
}
GC_DEVICE long long gc_index_mod(long long a, long long b) {
  long long r = a % b;
  return r < 0 ? r + b : r;
}

// -------------------------------------------------------------------------- integers (wrap around)

template <class T> GC_DEVICE T gc_add(T a, T b) {
  typedef typename gc_wide<T>::type W;
  return (T)((W)a + (W)b);
}
template <class T> GC_DEVICE T gc_sub(T a, T b) {
  typedef typename gc_wide<T>::type W;
  return (T)((W)a - (W)b);
}
template <class T> GC_DEVICE T gc_mul(T a, T b) {
  typedef typename gc_wide<T>::type W;
  return (T)((W)a * (W)b);
}
template <class T> GC_DEVICE T gc_neg(T a) { return gc_sub((T)0, a); }
template <class T> GC_DEVICE T gc_fma(T a, T b, T c) { return gc_add(gc_mul(a, b), c); }
template <class T> GC_DEVICE T gc_abs(T a) { return a < (T)0 ? gc_neg(a) : a; }
template <class T> GC_DEVICE T gc_sign(T a) { return (T)((a > (T)0) - (a < (T)0)); }
template <class T> GC_DEVICE T gc_min(T a, T b) { return b < a ? b : a; }
template <class T> GC_DEVICE T gc_max(T a, T b) { return a < b ? b : a; }
template <class T> GC_DEVICE T gc_and(T a, T b) { return (T)(a & b); }
template <class T> GC_DEVICE T gc_or(T a, T b) { return (T)(a | b); }
template <class T> GC_DEVICE T gc_xor(T a, T b) { return (T)(a ^ b); }

// The one division that overflows: by -1 in a signed type.
template <class T> GC_DEVICE bool gc_is_minus_one(T b) { return (T)(-1) < (T)0 && b == (T)(-1); }

template <class T> GC_DEVICE T gc_floordiv(T a, T b) {
  if (b == (T)0) return (T)0;
  if (gc_is_minus_one(b)) return gc_neg(a);
  T q = (T)(a / b);
  return (a % b != 0 && (a < (T)0) != (b < (T)0)) ? (T)(q - 1) : q;
}
template <class T> GC_DEVICE T gc_mod(T a, T b) {
  if (b == (T)0 || gc_is_minus_one(b)) return (T)0;
  T r = (T)(a % b);
  return (r != (T)0 && (r < (T)0) != (b < (T)0)) ? (T)(r + b) : r;
}
template <class T> GC_DEVICE T gc_fmod(T a, T b) {
  return b == (T)0 || gc_is_minus_one(b) ? (T)0 : (T)(a % b);
}
template <class T> GC_DEVICE T gc_pow(T base, T exponent) {
  if (exponent < (T)0) {
    if (base == (T)1) return (T)1;
    if (!gc_is_minus_one(base)) return (T)0;
    return exponent & (T)1 ? base : (T)1;
  }
  T result = (T)1;
  for (; exponent != (T)0; exponent = (T)(exponent >> 1)) {
    if (exponent & (T)1) result = gc_mul(result, base);
    base = gc_mul(base, base);
  }
  return result;
}
template <class T> GC_DEVICE T gc_shl(T a, T count) {
  typedef typename gc_wide<T>::type W;
  return count < (T)0 || count >= (T)(8 * sizeof(T)) ? (T)0 : (T)((W)a << count);
}
template <class T> GC_DEVICE T gc_shr(T a, T count) {
  if (count < (T)0 || count >= (T)(8 * sizeof(T))) return a < (T)0 ? (T)(-1) : (T)0;
  return (T)(a >> count);
}
template <class T> GC_DEVICE unsigned long long gc_magnitude(T a) {
  return a < (T)0 ? 0ULL - (unsigned long long)a : (unsigned long long)a;
}
template <class T> GC_DEVICE T gc_popcount(T a) { return (T)__popcll(gc_magnitude(a)); }
template <class T> GC_DEVICE unsigned long long gc_gcd_magnitude(T a, T b) {
  unsigned long long x = gc_magnitude(a), y = gc_magnitude(b);
  while (y != 0) {
    unsigned long long rest = x % y;
    x = y;
    y = rest;
  }
  return x;
}
template <class T> GC_DEVICE T gc_gcd(T a, T b) { return (T)gc_gcd_magnitude(a, b); }
template <class T> GC_DEVICE T gc_lcm(T a, T b) {
  unsigned long long divisor = gc_gcd_magnitude(a, b);
  return divisor == 0 ? (T)0 : (T)(gc_magnitude(a) / divisor * gc_magnitude(b));
}

// -------------------------------------------------------------------------------- random words

// Threefry-2x32 with 20 rounds (Salmon et al., 2011): see graphc/loops/scalar.py.
GC_DEVICE unsigned gc_rotate(unsigned x, int r) { return (x << r) | (x >> (32 - r)); }
GC_DEVICE void gc_threefry(unsigned k0, unsigned k1, unsigned* x, unsigned* y) {
  const unsigned keys[3] = {k0, k1, k0 ^ k1 ^ 0x1BD11BDAu};
  const int rotations[2][4] = {{13, 15, 26, 6}, {17, 29, 16, 24}};
  *x += k0;
  *y += k1;
#pragma unroll
  for (int group = 0; group < 5; ++group) {
#pragma unroll
    for (int k = 0; k < 4; ++k) {
      *x += *y;
      *y = gc_rotate(*y, rotations[group % 2][k]) ^ *x;
    }
    *x += keys[(group + 1) % 3];
    *y += keys[(group + 2) % 3] + (unsigned)(group + 1);
  }
}
GC_DEVICE unsigned gc_threefry_first(unsigned k0, unsigned k1, unsigned x, unsigned y) {
  gc_threefry(k0, k1, &x, &y);
  return x;
}
GC_DEVICE unsigned gc_threefry_second(unsigned k0, unsigned k1, unsigned x, unsigned y) {
  gc_threefry(k0, k1, &x, &y);
  return y;
}

// ------------------------------------------------------------------------------- float and double

// One text for both widths: F is the type, f##_ the suffix of the library's functions.
#define GC_FLOAT(F, FMOD, FLOOR, COPYSIGN, LOG1P, EXP, LDEXP, FMA)                               \
  GC_DEVICE F gc_add(F a, F b) { return a + b; }                                                 \
  GC_DEVICE F gc_mul(F a, F b) { return a * b; }                                                 \
  GC_DEVICE F gc_fma(F a, F b, F c) { return FMA(a, b, c); }                                     \
  /* NaN if either is NaN */                                                                     \
  GC_DEVICE F gc_min(F a, F b) { return a < b || a != a ? a : b; }                               \
  GC_DEVICE F gc_max(F a, F b) { return a > b || a != a ? a : b; }                               \
  GC_DEVICE F gc_sign(F a) { return a > 0 ? (F)1 : a < 0 ? (F)-1 : a; }                          \
  GC_DEVICE bool gc_isnan(F a) { return a != a; }                                                \
  GC_DEVICE bool gc_isfinite(F a) { return a - a == 0; }                                         \
  GC_DEVICE bool gc_isinf(F a) { return a == a && a - a != 0; }                                  \
  GC_DEVICE F gc_mod(F a, F b) {                                                                 \
    F r = FMOD(a, b);                                                                            \
    if (b == 0 || r != r) return r;                                                              \
    if (r == 0) return COPYSIGN((F)0, b);                                                        \
    return (r < 0) != (b < 0) ? r + b : r;                                                       \
  }                                                                                              \
  /* npy_divmod: the quotient is made from the remainder, then rounded to the nearest integer */ \
  GC_DEVICE F gc_floordiv(F a, F b) {                                                            \
    if (b == 0) return a / b;                                                                    \
    F r = FMOD(a, b);                                                                            \
    F q = (a - r) / b;                                                                           \
    if (r != 0 && (r < 0) != (b < 0)) q -= 1;                                                    \
    if (q == 0) return COPYSIGN((F)0, a / b);                                                    \
    F below = FLOOR(q);                                                                          \
    return q - below > (F)0.5 ? below + 1 : below;                                               \
  }                                                                                              \
  GC_DEVICE F gc_logaddexp(F a, F b) {                                                           \
    if (a == b) return a + (F)0.693147180559945309417232121458176568;                            \
    F d = a - b;                                                                                 \
    return d > 0 ? a + LOG1P(EXP(-d)) : d <= 0 ? b + LOG1P(EXP(d)) : d;                          \
  }                                                                                              \
  GC_DEVICE F gc_ldexp(F a, F n) {                                                               \
    if (n != n) return n;                                                                        \
    return LDEXP(a, (int)(n < -5000 ? (F)-5000 : n > 5000 ? (F)5000 : n));                       \
  }
GC_FLOAT(float, fmodf, floorf, copysignf, log1pf, expf, ldexpf, fmaf)
GC_FLOAT(double, fmod, floor, copysign, log1p, exp, ldexp, fma)

GC_DEVICE bool gc_signbit(float a) { return __float_as_int(a) < 0; }
GC_DEVICE bool gc_signbit(double a) { return __double_as_longlong(a) < 0; }

// bool: add is or, mul is and
GC_DEVICE bool gc_add(bool a, bool b) { return a || b; }
GC_DEVICE bool gc_mul(bool a, bool b) { return a && b; }

// ------------------------------------------------------------------------------------------ casts

// Floats to integers: towards zero; negative numbers wrap into unsigned types, as x86 NumPy does.
template <class To, class From> GC_DEVICE To gc_to_integer(From a) { return (To)(long long)a; }
template <class To> GC_DEVICE To gc_to_int32(double a) { return (To)(int)a; }
template <class To> GC_DEVICE To gc_to_int32(float a) { return (To)(int)a; }
template <class From> GC_DEVICE unsigned long long gc_to_uint64(From a) {
  return a >= (From)9223372036854775808.0 ? (unsigned long long)a
                                          : (unsigned long long)(long long)a;
}

// ------------------------------------------------------------------------------- 16-bit floats

#ifdef GC_HALF
#define GC_HALF_FLOAT(H)                                                                         \
  GC_DEVICE H gc_add(H a, H b) { return (H)((float)a + (float)b); }                              \
  GC_DEVICE H gc_mul(H a, H b) { return (H)((float)a * (float)b); }                              \
  GC_HALF_CHOICE(H, min)                                                                         \
  GC_HALF_CHOICE(H, max)
#ifdef CUDA_CPU
#define GC_HALF_CHOICE(H, NAME)                                                                  \
  GC_DEVICE H gc_##NAME(H a, H b) { return (H)gc_##NAME((float)a, (float)b); }
#else
#define GC_HALF_CHOICE(H, NAME)                                                                  \
  GC_DEVICE H gc_##NAME(H a, H b) { return __h##NAME##_nan(a, b); }
#endif
GC_HALF_FLOAT(__half)
GC_HALF_FLOAT(__nv_bfloat16)

// 1 / b of a __half, a unit of the last place too large or too small at most.
GC_DEVICE float gc_estimate_inverse(float b) {
#ifdef CUDA_CPU
  float inverse = 1 / b;
  return gc_isfinite(inverse) ? nextafterf(inverse, 0) : inverse;
#else
  float inverse;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(inverse) : "f"(b));
  return inverse;
#endif
}

// The quotient, rounded once. A first estimate q from the reciprocal is wrong by a few units of a
// float, and its rest a - q b is exact, as b has 11 bits. The sum is the float nearest to a / b or
// next to it, and never on the other side of the middle m of two __halfs: a / b is m, exactly, or
// differs by 2^-23 of it, for m has 12 bits. Where the rest is 0 or no number, q is all there is.
GC_DEVICE __half gc_div(__half x, __half y) {
  float a = (float)x, b = (float)y, inverse = gc_estimate_inverse(b), q = a * inverse;
  float rest = fmaf(-q, b, a);
  return (__half)(fabsf(rest) > 0 ? fmaf(rest, inverse, q) : q);
}

// The neighbour of a towards b, as bits of one 16-bit float type; so is `infinity`.
GC_DEVICE unsigned short gc_next16(unsigned short a, unsigned short b, int infinity) {
  int x = a & 0x7fff, y = b & 0x7fff;
  if (x > infinity) return a;
  if (y > infinity) return b;
  if (x == 0) return y == 0 ? b : (unsigned short)((b & 0x8000) | 1);
  int left = a & 0x8000 ? -x : x, right = b & 0x8000 ? -y : y;
  if (left == right) return b;
  return (unsigned short)((left < right) == (left > 0) ? a + 1 : a - 1);
}
GC_DEVICE __half gc_nextafter(__half a, __half b) {
  return __ushort_as_half(gc_next16(__half_as_ushort(a), __half_as_ushort(b), 0x7c00));
}
GC_DEVICE __nv_bfloat16 gc_nextafter(__nv_bfloat16 a, __nv_bfloat16 b) {
  return __ushort_as_bfloat16(gc_next16(__bfloat16_as_ushort(a), __bfloat16_as_ushort(b), 0x7f80));
}
#endif

// ------------------------------------------------------------------------------- tensor cores

// d += a @ b of tiles (16, 16) and (16, 8) that the lanes of a warp hold together: which lane holds
// what is said in graphc/loops/ir.py (Mma). cuda_cpu.h has a stand-in.
#if !defined(CUDA_CPU)
#define GC_MMA(NAME, TYPE)                                                                       \
  GC_DEVICE void NAME(float* d, const unsigned* a, const unsigned* b) {                          \
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32." TYPE "." TYPE ".f32 "                           \
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"                        \
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])                                         \
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));                     \
  }
GC_MMA(gc_mma_f16, "f16")
GC_MMA(gc_mma_bf16, "bf16")
GC_DEVICE void gc_mma_i8(int* d, const unsigned* a, const unsigned* b) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#endif

// Four matrices of 8 by 8 16-bit numbers from shared memory: lane 8m + i names row i of matrix m
// (Fragments in graphc/loops/ir.py). Copies of N bytes from global to shared memory that nobody
// waits for but gc_copy_wait<P>, until all groups but the last P are there; 0 without `inside`.
#if !defined(CUDA_CPU)
#define GC_DYNAMIC_SHARED(N) extern __shared__ __align__(16) unsigned char gc_dynamic[]
GC_DEVICE void gc_fragments(unsigned* d, const void* row) {
  const unsigned place = (unsigned)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(place) : "memory");
}
GC_DEVICE void gc_fragments_transposed(unsigned* d, const void* row) {
  const unsigned place = (unsigned)__cvta_generic_to_shared(row);
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(d[0]), "=r"(d[1]), "=r"(d[2]), "=r"(d[3]) : "r"(place) : "memory");
}
template <int N> GC_DEVICE void gc_copy_async(void* to, const void* from, bool inside) {
  const unsigned place = (unsigned)__cvta_generic_to_shared(to);
  if (N == 16)
    asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;"
                 :: "r"(place), "l"(from), "r"(inside ? 16 : 0) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;"
                 :: "r"(place), "l"(from), "n"(N), "r"(inside ? N : 0) : "memory");
}
GC_DEVICE void gc_copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int P> GC_DEVICE void gc_copy_wait() {
  asm volatile("cp.async.wait_group %0;" :: "n"(P) : "memory");
}
#endif

// Products of four warps (GroupMma in graphc/loops/ir.py), of tiles in shared memory: the functions
// that add them are written for each number of columns by graphc/codegen/cuda_group.py. A tile's
// descriptor: its address, then its two strides, all without the lowest four bits; its swizzle.
template <int LEADING, int STRIDE, int MODE = 0>
GC_DEVICE unsigned long long gc_tile(const void* place) {
  const unsigned address = (unsigned)__cvta_generic_to_shared(place);
  const unsigned low = (address & 0x3ffffu) >> 4 | (unsigned)(LEADING >> 4) << 16;
  return (unsigned long long)(MODE << 30 | STRIDE >> 4) << 32 | low;
}
#if !defined(CUDA_CPU)
#define GC_GROUP_SHARED(N) extern __shared__ __align__(1024) unsigned char gc_group_tiles[]; \
  unsigned char* const gc_dynamic = gc_group_tiles
template <class H, int COLUMNS> struct gc_group_mma;
// A copy of 16 bytes into a swizzled tile: bits 7 to 9 of its place change bits 4 to 6.
template <int N> GC_DEVICE void gc_copy_swizzled(void* to, const void* from, bool inside) {
  unsigned place = (unsigned)__cvta_generic_to_shared(to);
  place ^= place >> 3 & 0x70u;
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], %2, %3;"
               :: "r"(place), "l"(from), "n"(N), "r"(inside ? N : 0) : "memory");
}
GC_DEVICE void gc_fence_proxies() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }
GC_DEVICE void gc_group_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
GC_DEVICE void gc_group_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int P> GC_DEVICE void gc_group_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(P) : "memory");
}
// No instruction: what reads the sums stays behind the wait.
template <int N> GC_DEVICE void gc_group_settled(float* d) {
#pragma unroll
  for (int k = 0; k < N; ++k) asm volatile("" : "+f"(d[k]) :: "memory");
}
#endif

// ---------------------------------------------------------------------- reductions across threads

#define GC_REDUCER(NAME)                                                                         \
  struct gc_reduce_##NAME {                                                                      \
    template <class T> GC_DEVICE T of(T a, T b) { return gc_##NAME(a, b); }                      \
  };
GC_REDUCER(add)
GC_REDUCER(mul)
GC_REDUCER(min)
GC_REDUCER(max)
GC_REDUCER(and)
GC_REDUCER(or)
GC_REDUCER(xor)

// All lanes of a full warp get the same value: the butterfly's order is fixed, and lane 0's result
// is given to all (the lanes' own may differ in the sign of a zero or in a NaN's bits).
template <class Op, class T> GC_DEVICE T gc_warp_reduce(T value) {
#pragma unroll
  for (int step = 16; step > 0; step >>= 1)
    value = Op::of(value, (T)__shfl_xor_sync(0xffffffffu, value, step));
  return (T)__shfl_sync(0xffffffffu, value, 0);
}

// The same for groups of LANES neighbouring lanes.
template <class Op, int LANES, class T> GC_DEVICE T gc_group_reduce(T value) {
#pragma unroll
  for (int step = LANES / 2; step > 0; step >>= 1)
    value = Op::of(value, (T)__shfl_xor_sync(0xffffffffu, value, step));
  return value;
}

// All threads of a block of whole warps get the same value: warps first, then their results in
// order. `scratch` is shared and holds one T per warp; it is free again on return.
template <class Op, class T> GC_DEVICE T gc_block_reduce(T value, T* scratch) {
  const int thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const int warps = blockDim.x * blockDim.y * blockDim.z / 32;
  value = gc_warp_reduce<Op>(value);
  if (thread % 32 == 0) scratch[thread / 32] = value;
  __syncthreads();
  T total = scratch[0];
  for (int warp = 1; warp < warps; ++warp) total = Op::of(total, scratch[warp]);
  __syncthreads();
  return total;
}
