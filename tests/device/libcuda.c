// A stand-in for libcuda.so.1: the driver's calls that pycuda and graphc make, on the processor.
//
// Memory is malloc's. A module's image is the text "CPUSO:<path>" of a shared library, whose
// functions NAME__cpu(grid, block, arguments) are the kernels (tests/device/standin.py makes them).
// All work is done when it is asked for, so it shows no races; a stream that is captured keeps its
// launches, and a graph does them, in order: a node that would not wait for the one before it is an
// error. Bodies of conditional nodes are refused what the documentation refuses, and calls without
// a current context what needs one. What tests set: FAKE_CUDA_BYTES, the memory there is;
// FAKE_CUDA_DRIVER, the version; FAKE_CUDA_DEVICES, how many there are; FAKE_CUDA_FAULT, where a
// kernel failed: streams, launches and copies answer that. What tests read: standin_*.

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
       ILLEGAL_STATE = 401, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, NOT_SUPPORTED = 801,
       CAPTURE_UNSUPPORTED = 900 };
#define E __attribute__((visibility("default")))

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

// ------------------------------------------------------------------------------------ the device

E CUresult cuInit(unsigned f) { return 0; }
static int version(void) {
  const char* text = getenv("FAKE_CUDA_DRIVER");
  return text ? atoi(text) : 13000;
}
E CUresult cuDriverGetVersion(int* v) { *v = version(); return 0; }
E CUresult cuGetErrorString(CUresult e, const char** p) {
  *p = e == OUT_OF_MEMORY ? "out of memory" : e == NOT_FOUND ? "named symbol not found"
       : e == INVALID_VALUE ? "invalid argument"
       : e == ILLEGAL_ADDRESS ? "an illegal memory access was encountered"
       : e == NOT_SUPPORTED ? "operation not supported" : "an error of the stand-in";
  return 0;
}
E CUresult cuGetErrorName(CUresult e, const char** p) { return cuGetErrorString(e, p); }
E CUresult cuDeviceGetCount(int* n) {
  const char* text = getenv("FAKE_CUDA_DEVICES");
  *n = text ? atoi(text) : 1;
  return 0;
}
E CUresult cuDeviceGet(int* d, int i) {
  int n;
  cuDeviceGetCount(&n);
  *d = i;
  return i < 0 || i >= n ? 101 : 0;
}
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
static CUresult broken(void) { return getenv("FAKE_CUDA_FAULT") ? ILLEGAL_ADDRESS : 0; }
#define WELL if (broken()) return broken();
// A context's number is 1 + its device's for a primary one, and has its device's + 1000 otherwise.
E CUresult cuDevicePrimaryCtxRetain(Handle* c, int d) { *c = (Handle)(size_t)(1 + d); return 0; }
E CUresult cuDevicePrimaryCtxRelease_v2(int d) { return 0; }
E CUresult cuCtxPushCurrent_v2(Handle c) { stack[depth++] = c; return 0; }
E CUresult cuCtxPopCurrent_v2(Handle* c) {
  if (!depth) return INVALID_CONTEXT;
  --depth;
  if (c) *c = stack[depth];
  return 0;
}
E CUresult cuCtxGetCurrent(Handle* c) { *c = depth ? stack[depth - 1] : 0; return 0; }
static int device_of(Handle c) { return (size_t)c < 1000 ? (size_t)c - 1 : (size_t)c % 1000; }
E CUresult cuCtxGetDevice(int* d) {
  NEED
  *d = device_of(stack[depth - 1]);
  return 0;
}
E CUresult cuCtxCreate_v4(Handle* c, void* parameters, unsigned flags, int d) {
  static size_t made;
  *c = (Handle)(1000 * ++made + d);
  return cuCtxPushCurrent_v2(*c);
}
E CUresult cuCtxDestroy_v2(Handle c) {
  if (depth && stack[depth - 1] == c) --depth;
  return 0;
}
E CUresult cuCtxSynchronize(void) { return 0; }
E CUresult cuCtxDetach(Handle c) { return 0; }

// --------------------------------------------------------------------------------------- memory

static size_t used;
typedef struct Block { size_t bytes; Handle context; struct Block *next, **here; } Block;
static Block* blocks;  // each before its memory
static size_t limit(void) {
  const char* text = getenv("FAKE_CUDA_BYTES");
  return text ? strtoull(text, 0, 10) : 4ull << 30;
}
E CUresult cuMemGetInfo_v2(size_t* f, size_t* t) { *t = limit(); *f = *t - used; return 0; }
E CUresult cuMemAlloc_v2(Address* p, size_t n) {
  NEED
  if (used + n > limit()) return OUT_OF_MEMORY;
  Block* block = aligned_alloc(256, (n + 511) / 256 * 256);
  if (!block) return OUT_OF_MEMORY;
  *block = (Block){n, stack[depth - 1], blocks, &blocks};
  if (blocks) blocks->here = &block->next;
  blocks = block;
  memset((char*)block + 256, 0xA5, n);  // what nobody wrote shows
  used += n;
  *p = (Address)block + 256;
  return 0;
}
E CUresult cuMemFree_v2(Address p) {
  NEED
  Block* block = (Block*)(p - 256);
  used -= block->bytes;
  *block->here = block->next;
  if (block->next) block->next->here = block->here;
  free(block);
  return 0;
}
E CUresult cuPointerGetAttribute(void* found, int attribute, Address p) {
  for (Block* b = blocks; b; b = b->next) {
    Address first = (Address)b + 256;
    if (p < first || p >= first + b->bytes) continue;
    if (attribute == 1) *(Handle*)found = b->context;
    else if (attribute == 9) *(int*)found = device_of(b->context);
    else return NOT_SUPPORTED;
    return 0;
  }
  return INVALID_VALUE;
}
typedef struct Locked { char* first; size_t bytes; struct Locked* next; } Locked;
static Locked* locked;  // page-locked memory of the host
E CUresult cuMemHostAlloc(void** p, size_t n, unsigned f) {
  NEED
  *p = aligned_alloc(4096, (n + 4095) / 4096 * 4096);
  Locked* made = malloc(sizeof *made);
  *made = (Locked){*p, n, locked};
  locked = made;
  return 0;
}
E CUresult cuMemFreeHost(void* p) {
  NEED
  for (Locked** l = &locked; *l; l = &(*l)->next)
    if ((*l)->first == p) {
      Locked* gone = *l;
      *l = gone->next;
      free(gone);
      free(p);
      return 0;
    }
  return INVALID_VALUE;
}
static int is_locked(const void* p) {
  for (Locked* l = locked; l; l = l->next)
    if ((const char*)p >= l->first && (const char*)p < l->first + l->bytes) return 1;
  return 0;
}

// ------------------------------------------------------------- streams, launches, captured graphs

// Since the process began: kernels run, conditional nodes met, graphs launched, nodes changed.
E long standin_downloads, standin_kernels, standin_decisions, standin_graphs, standin_updates;

enum { KERNEL, COPY_NODE, HOST_NODE, CONDITIONAL_NODE };
enum { COND_IF, COND_WHILE, COND_SWITCH };
typedef struct Graph Graph;
typedef struct Node {
  int type;
  Kernel kernel;  // of a copy too: a function here
  unsigned grid[3], block[3];
  void* arguments;
  size_t bytes;
  unsigned shared;
  // of a conditional node
  int kind;
  unsigned size;
  struct Condition* condition;
  Graph** bodies;
  struct Node *after, *next;  // whom it waits for; the order of making
  struct Node* origin;  // of a node of what was instantiated: the given graph's
} Node;
struct Graph {
  Node *first, *last;
  Graph* around;  // of a body: the graph with its node
  int captured, instances, decides;
};
typedef struct Condition {
  Graph* graph;
  Handle context;
  unsigned initial, flags, value;
  int used;
  unsigned number;
  struct Condition* next;
} Condition;
typedef struct { Graph* graph; Graph* given; Node* last; } Stream;
typedef struct { Graph* graph; Graph* template; } Exec;

static Condition* conditions;
static int running, faulted;
static CUresult fault(void) {  // unlike a device's, the next launch is well again
  int was = faulted;
  faulted = 0;
  return was ? ILLEGAL_ADDRESS : 0;
}

static CUresult wrong(const char* what) {
  fprintf(stderr, "the stand-in driver: %s\n", what);
  return INVALID_VALUE;
}
static int is_captured(Stream* s) { return s && (size_t)s > 2 && s->graph; }
E CUresult cuStreamCreate(Handle* s, unsigned f) {
  NEED
  *s = calloc(1, sizeof(Stream));
  return 0;
}
E CUresult cuStreamDestroy_v2(Handle s) { free(s); return 0; }
E CUresult cuStreamSynchronize(Stream* s) { return is_captured(s) ? CAPTURE_UNSUPPORTED : broken(); }
E CUresult cuStreamQuery(Handle s) { return 0; }
E CUresult cuStreamWaitEvent(Handle s, Handle e, unsigned f) { return 0; }

static CUresult begin(Stream* s, Graph* into) {
  NEED
  if (!s || (size_t)s <= 2) return CAPTURE_UNSUPPORTED;  // the legacy stream has no capture
  if (s->graph) return wrong("the stream is captured already");
  if (into && into->captured) return wrong("the graph is captured into already");
  s->given = into;
  s->graph = into ? into : calloc(1, sizeof(Graph));
  s->graph->captured = 1;
  s->last = 0;
  return 0;
}
E CUresult cuStreamBeginCapture_v2(Stream* s, int mode) { return begin(s, 0); }
E CUresult cuStreamBeginCaptureToGraph(Stream* s, Graph* g, Node** behind, void* edges, size_t n,
                                       int mode) {
  if (!g || g->first || n) return wrong("only empty graphs are captured into here");
  return begin(s, g);
}
E CUresult cuStreamEndCapture(Stream* s, Graph** g) {
  *g = 0;
  if (!is_captured(s)) return ILLEGAL_STATE;
  Graph* made = s->graph;
  s->graph = 0;
  made->captured = 0;
  for (Node *n = made->first, *before = 0; n; before = n, n = n->next)
    if (n->after != before) return wrong("a node does not wait for the one before it");
  *g = made;
  return 0;
}
E CUresult cuStreamIsCapturing(Stream* s, int* status) { *status = is_captured(s); return 0; }
E CUresult cuStreamGetCaptureInfo_v3(Stream* s, int* status, unsigned long long* id, Graph** g,
                                     Node*** nodes, void** edges, size_t* n) {
  *status = is_captured(s);
  if (!*status) return 0;
  if (g) *g = s->graph;
  if (nodes) *nodes = &s->last;
  if (n) *n = s->last != 0;
  return 0;
}
E CUresult cuStreamUpdateCaptureDependencies_v2(Stream* s, Node** nodes, void* edges, size_t n,
                                                unsigned flags) {
  if (!is_captured(s)) return ILLEGAL_STATE;
  if (n != 1 || edges || flags != 1) return wrong("the stream waits for one node here");
  s->last = nodes[0];
  return 0;
}

static Node* add(Graph* g, Node n, Node* after) {
  Node* made = malloc(sizeof n);
  *made = n;
  made->after = after;
  made->next = 0;
  if (g->last) g->last->next = made;
  else g->first = made;
  return g->last = made;
}
static void keep(Stream* s, Node n) {
  n.arguments = memcpy(malloc(n.bytes + 1), n.arguments, n.bytes);
  s->last = add(s->graph, n, s->last);
}
static void drop(Graph* g) {
  for (Condition** c = &conditions; *c;) {
    Condition* one = *c;
    if (one->graph == g) { *c = one->next; free(one); }
    else c = &one->next;
  }
  for (Node *n = g->first, *next; n; n = next) {
    next = n->next;
    for (unsigned k = 0; k < n->size; ++k) drop(n->bodies[k]);
    free(n->bodies);
    free(n->arguments);
    free(n);
  }
  free(g);
}
E CUresult cuGraphDestroy(Graph* g) {
  if (!g || g->around) return wrong("the body of a node is the node's");
  drop(g);
  return 0;
}

// ------------------------------------------------------------------------------ conditional nodes

// A condition's number tells which it is, and has its highest bit set: it is no address.
#define MARK 0x8000000000000000ull
static Condition* find(unsigned long long number) {
  for (Condition* c = conditions; c; c = c->next)
    if ((MARK | c->number) == number) return c;
  return 0;
}
E CUresult cuGraphConditionalHandleCreate(unsigned long long* made, Graph* g, Handle context,
                                          unsigned initial, unsigned flags) {
  static unsigned count;
  if (version() < 12040) return NOT_SUPPORTED;
  if (!g || flags > 1) return INVALID_VALUE;
  if (!depth || context != stack[depth - 1]) return wrong("a condition's context is another");
  Condition* c = calloc(1, sizeof *c);
  *c = (Condition){g, context, initial, flags, 0xA5A5, 0, ++count, conditions};
  conditions = c;
  *made = MARK | c->number;
  return 0;
}
typedef struct {
  int type, reserved0[3];
  unsigned long long condition;
  int kind;
  unsigned size;
  Graph** bodies;
  Handle context;
  char rest[200];
  long long reserved2;
} Params;
E CUresult cuGraphAddNode_v2(Node** made, Graph* g, Node** behind, void* edges, size_t n,
                             Params* p) {
  if (p->type != 13) return NOT_SUPPORTED;
  for (int k = 0; k < 3; ++k)
    if (p->reserved0[k]) return wrong("reserved bytes are not 0");
  for (int k = 0; k < 200; ++k)
    if (p->rest[k]) return wrong("unused bytes are not 0");
  if (p->reserved2) return wrong("reserved bytes are not 0");
  Condition* c = find(p->condition);
  if (!c) return wrong("there is no such condition");
  if (c->used) return wrong("the condition has a node already");
  if (c->context != p->context) return wrong("the node's context is another");
  Graph* around = g;
  while (around && around != c->graph) around = around->around;
  if (!around) return wrong("the condition is one of another graph");
  unsigned most = p->kind == COND_SWITCH ? 1u << 30 : 1 + (p->kind == COND_IF && version() >= 12080);
  if (p->kind < 0 || p->kind > COND_SWITCH || (p->kind == COND_SWITCH && version() < 12080))
    return wrong("this driver has no such node");
  if (!p->size || p->size > most) return wrong("so many bodies do not go with such a node");
  if (edges || n > 1) return NOT_SUPPORTED;
  Node node = {CONDITIONAL_NODE};
  node.kind = p->kind;
  node.size = p->size;
  node.condition = c;
  node.bodies = p->bodies = calloc(p->size, sizeof(Graph*));
  for (unsigned k = 0; k < p->size; ++k) {
    node.bodies[k] = calloc(1, sizeof(Graph));
    node.bodies[k]->around = g;
  }
  c->used = 1;
  for (around = g; around; around = around->around) around->decides = 1;
  *made = add(g, node, n ? behind[0] : 0);
  return 0;
}

// What kernels call.
E void cudaGraphSetConditional(unsigned long long number, unsigned value) {
  Condition* c = find(number);
  if (!running || !c || !depth || c->context != stack[depth - 1]) {
    fprintf(stderr, "the stand-in driver: a kernel sets a condition that no running graph has\n");
    faulted = 1;
    return;
  }
  c->value = value;
}

static CUresult check(Graph* g, int is_body) {
  if (g->captured) return wrong("a graph is captured into still");
  for (Condition* c = conditions; c; c = c->next)
    if (c->graph == g && !c->used) return wrong("a condition has no node");
  for (Node* n = g->first; n; n = n->next) {
    if (is_body && n->type == HOST_NODE) return wrong("a body may not call the host");
    for (unsigned k = 0; k < n->size; ++k) {
      if (!n->bodies[k]->first && version() < 12080) return wrong("a body is empty");
      CUresult e = check(n->bodies[k], 1);
      if (e) return e;
    }
  }
  return 0;
}
E CUresult cuGraphInstantiateWithFlags(Exec** made, Graph* g, unsigned long long f) {
  CUresult e = check(g, 0);
  if (e) return e;
  if (g->decides && g->instances) return wrong("a graph that decides has one instance");
  ++g->instances;
  *made = malloc(sizeof(Exec));
  if (g->decides) {
    // bodies and conditions stay the template's: it has to be there as long as this
    **made = (Exec){g, g};
    return 0;
  }
  Graph* own = calloc(1, sizeof *own);
  for (Node* n = g->first; n; n = n->next) {
    Node* copied = add(own, *n, own->last);
    copied->arguments = memcpy(malloc(n->bytes + 1), n->arguments, n->bytes);
    copied->origin = n;
  }
  **made = (Exec){own, 0};
  return 0;
}

// What is changed is the node of the executable graph, which stands for one of the given graph.
typedef struct {
  Kernel function;
  unsigned grid[3], block[3], shared;
  void **pointers, **extra;
  void *kernel, *context;
} KernelParams;
typedef struct {
  size_t x, y, z, level;
  unsigned type;
  void* host;
  Address device;
  void *array, *reserved;
  size_t pitch, height;
} Side;
typedef struct { Side from, to; size_t width, height, depth; } CopyParams;
static void copy(const unsigned* grid, const unsigned* block, const void* arguments);
static Node* instance(Exec* e, Node* given) {
  for (Node* n = e->graph->first; n; n = n->next)
    if ((e->template ? n : n->origin) == given) return n;
  wrong("the executable graph has no such node, or it is in a body");
  return 0;
}
E CUresult cuGraphKernelNodeGetParams_v2(Node* n, KernelParams* p) {
  static void* some[1];
  if (n->type != KERNEL) return INVALID_VALUE;
  *p = (KernelParams){n->kernel, {}, {}, n->shared, some};
  memcpy(p->grid, n->grid, sizeof n->grid);
  memcpy(p->block, n->block, sizeof n->block);
  return 0;
}
E CUresult cuGraphExecKernelNodeSetParams_v2(Exec* e, Node* given, const KernelParams* p) {
  NEED
  Node* n = instance(e, given);
  if (!n || n->type != KERNEL) return INVALID_VALUE;
  if (!p->extra || p->pointers) return wrong("arguments are one buffer here");
  if (p->function != n->kernel || memcmp(p->grid, n->grid, 12) || memcmp(p->block, n->block, 12) ||
      p->shared != n->shared)
    return wrong("another launch than was captured");
  for (int i = 0; p->extra[i]; i += 2) {
    if (p->extra[i] == (void*)2 && *(size_t*)p->extra[i + 1] != n->bytes)
      return wrong("other arguments than were captured");
    if (p->extra[i] == (void*)1) memcpy(n->arguments, p->extra[i + 1], n->bytes);
  }
  ++standin_updates;
  return 0;
}
E CUresult cuGraphExecMemcpyNodeSetParams(Exec* e, Node* given, const CopyParams* p, Handle c) {
  NEED
  Node* n = instance(e, given);
  if (!n || n->kernel != copy || c != stack[depth - 1]) return INVALID_VALUE;
  if (p->from.type != 2 || p->to.type != 2 || p->height != 1 || p->depth != 1)
    return wrong("a copy on the device in one row, here");
  Address places[2] = {p->to.device, p->from.device};
  if (p->width != ((size_t*)n->arguments)[2]) return wrong("another copy than was captured");
  memcpy(n->arguments, places, sizeof places);
  ++standin_updates;
  return 0;
}
E CUresult cuGraphExecDestroy(Exec* e) {
  if (e->template) --e->template->instances;  // which lives as long
  else drop(e->graph);
  free(e);
  return 0;
}
static void run(Graph* g) {
  for (Node* n = g->first; n && !faulted; n = n->next) {
    if (n->type != CONDITIONAL_NODE) {
      standin_kernels += n->type == KERNEL;
      n->kernel(n->grid, n->block, n->arguments);
      continue;
    }
    ++standin_decisions;
    unsigned value = n->condition->value;
    if (n->kind == COND_WHILE)
      while (n->condition->value && !faulted) run(n->bodies[0]);
    else if (n->kind == COND_SWITCH) {
      if (value < n->size) run(n->bodies[value]);
    } else if (value) run(n->bodies[0]);
    else if (n->size == 2) run(n->bodies[1]);
  }
}
static int belongs(Graph* g, Graph* root) {
  while (g && g != root) g = g->around;
  return g != 0;
}
E CUresult cuGraphLaunch(Exec* e, Stream* s) {
  NEED
  WELL
  if (is_captured(s)) return NOT_SUPPORTED;
  for (Condition* c = conditions; c; c = c->next)
    if (belongs(c->graph, e->graph)) c->value = c->flags & 1 ? c->initial : 0xA5A5;
  ++running;
  ++standin_graphs;
  run(e->graph);
  --running;
  return fault();
}
E CUresult cuLaunchHostFunc(Stream* s, void (*function)(void*), void* data) {
  if (is_captured(s)) keep(s, (Node){HOST_NODE});
  else function(data);
  return 0;
}
E CUresult cuLaunchKernel(Kernel f, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                          unsigned by, unsigned bz, unsigned shared, Stream* s, void** pointers,
                          void** extra) {
  Node l = {KERNEL, f, {gx, gy, gz}, {bx, by, bz}};
  NEED
  WELL
  if (!extra || pointers) return NOT_SUPPORTED;  // pycuda passes one buffer
  if (!gx || !gy || !gz || gy > 65535 || gz > 65535 || !bx || (size_t)bx * by * bz > 1024)
    return INVALID_VALUE;
  for (int i = 0; extra[i]; i += 2) {
    if (extra[i] == (void*)1) l.arguments = extra[i + 1];
    if (extra[i] == (void*)2) l.bytes = *(size_t*)extra[i + 1];
  }
  l.shared = shared;
  if (is_captured(s)) {
    keep(s, l);
    return 0;
  }
  ++standin_kernels;
  f(l.grid, l.block, l.arguments);
  return fault();
}

// A copy on the device is done by a graph like a launch.
typedef struct { Address to, from; size_t bytes; } Copied;
static void copy(const unsigned* grid, const unsigned* block, const void* arguments) {
  const Copied* c = arguments;
  memmove((void*)c->to, (void*)c->from, c->bytes);
}
E CUresult cuMemcpyDtoD_v2(Address to, Address from, size_t n) {
  NEED
  WELL
  memmove((void*)to, (void*)from, n);
  return 0;
}
E CUresult cuMemcpyDtoDAsync_v2(Address to, Address from, size_t n, Stream* s) {
  if (!is_captured(s)) return cuMemcpyDtoD_v2(to, from, n);
  Copied c = {to, from, n};
  keep(s, (Node){COPY_NODE, copy, {1, 1, 1}, {1, 1, 1}, &c, sizeof c});
  return 0;
}
#define COPY(name, to, from, count)                                             \
  E CUresult name##_v2(to d, from s, size_t n) {                                \
    NEED                                                                        \
    WELL                                                                        \
    count;                                                                      \
    memmove((void*)d, (void*)s, n);                                             \
    return 0;                                                                   \
  }                                                                             \
  E CUresult name##Async_v2(to d, from s, size_t n, Stream* t) {                \
    return is_captured(t) ? CAPTURE_UNSUPPORTED : name##_v2(d, s, n);           \
  }
COPY(cuMemcpyHtoD, Address, const void*, (void)0)
// The host does not wait for what goes to page-locked memory.
COPY(cuMemcpyDtoH, void*, Address, standin_downloads += !is_locked(d))
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
  keep(s, (Node){COPY_NODE, fill, {1, 1, 1}, {1, 1, 1}, &f, sizeof f});
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
