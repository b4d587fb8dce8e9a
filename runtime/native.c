/* The native runtime: a fork-join thread pool, a pool of memory blocks, and the type `Compiled`, whose instances are
 * called without any Python between the interpreter and the generated code.
 *
 * native.ll is made from this file by make_native.py and is what ships; nobody needs a C compiler to install graphc.
 *
 *     clang-16 -std=gnu11 -O2 -fPIC -ffreestanding -fno-builtin -fno-stack-protector -fno-exceptions
 *         -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-strict-aliasing -fvisibility=hidden -Wall -Wextra
 *         -Wno-unused-parameter -Werror -S -emit-llvm native.c
 *
 * then the lines of triple and data layout, the attributes of the machine (target-cpu, target-features, tune-cpu) and
 * the compiler's ident are dropped.
 *
 * One call: match the arguments against the specializations, the one used last first -> allocate outputs and arena ->
 * release the GIL when the work is worth it -> entry -> hand the outputs over. Whatever does not match goes to the
 * Python callable `miss` with the arguments as they came.
 *
 * The list of specializations changes only under the GIL; a specialization is freed only with its instance. References
 * are counted by Py_IncRef and Py_DecRef, never inline, so no layout of a reference count is known here.
 */
#include "native.h"

GcConfig gc_config;
#include "native_memory.h"
#include "native_threads.h"

/* ------------------------------------------------------------------------------------------------- CPython, by hand */
typedef struct PyObject PyObject;
typedef PyObject *(*vectorcallfunc)(PyObject *, PyObject *const *, size_t, PyObject *);
extern void Py_IncRef(PyObject *);
extern void Py_DecRef(PyObject *);
extern PyObject *PyObject_Vectorcall(PyObject *, PyObject *const *, size_t, PyObject *);
extern PyObject *PyObject_CallFunctionObjArgs(PyObject *, ...);
extern PyObject *PyVectorcall_Call(PyObject *, PyObject *, PyObject *);
extern PyObject *PyMethod_New(PyObject *, PyObject *);
extern PyObject *PyType_FromSpec(void *);
extern PyObject *PyType_GenericAlloc(PyObject *, long);
extern PyObject *PyObject_GenericGetDict(PyObject *, void *);
extern int PyObject_GenericSetDict(PyObject *, PyObject *, void *);
extern void PyObject_GC_UnTrack(void *);
extern void PyObject_GC_Del(void *);
extern void PyObject_ClearWeakRefs(PyObject *);
extern PyObject *PyTuple_New(long), *PyList_New(long), *PyLong_FromLongLong(long long);
extern int PyTuple_SetItem(PyObject *, long, PyObject *), PyList_SetItem(PyObject *, long, PyObject *);
extern long PyTuple_Size(PyObject *), PyDict_Size(PyObject *);
extern PyObject *PyTuple_GetItem(PyObject *, long);
extern double PyFloat_AsDouble(PyObject *), PyComplex_RealAsDouble(PyObject *), PyComplex_ImagAsDouble(PyObject *);
extern long long PyLong_AsLongLongAndOverflow(PyObject *, int *);
extern void *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(void *);
extern PyObject *PyErr_NoMemory(void), *PyErr_Format(PyObject *, const char *, ...), *PyErr_Occurred(void);
extern PyObject *PyExc_MemoryError, *PyExc_TypeError, *PyExc_RuntimeError;
extern char PyFloat_Type[], PyLong_Type[], PyComplex_Type[], _Py_NoneStruct[], _Py_TrueStruct[], _Py_FalseStruct[];

#define FIELD(object, offset, type) (*(type *)((char *)(object) + (offset)))
#define TYPE_OF(object) FIELD(object, gc_config.off_type, void *)
#define CONTIGUOUS 0x1
#define ALIGNED 0x100
#define WRITEABLE 0x400

/* --------------------------------------------------------------------------------------------- a specialization
 * call.py packs one as bytes: Head, the Argument records, the Output records, then 64-bit axis words. An axis word >= 0
 * is a constant extent; a negative one names a slot s of the extents: ~(2 s) binds it, ~(2 s + 1) compares with it. */
enum { ARRAY, PY_FLOAT, PY_INT, PY_BOOL, PY_COMPLEX };
enum { SINGLE, TUPLE, LIST, CALLABLE };
enum { STRIDED = 1, DONATED = 2 };
enum { SCALAR_RESULT = 1 };

typedef struct {
    u8 kind, flags, rank, other_type_num; /* the other: int64 is both `long` and `long long`; 255 for none */
    i32 type_num;
    PyObject *descr;
    i32 axes, strides; /* first axis word; first slot of the strides */
    i64 item_bytes;
} Argument;
typedef struct {
    u8 flags, rank, pad[2];
    i32 alias; /* the argument whose memory and object this output is, or -1 */
    PyObject *descr;
    i32 axes, pad2;
    i64 item_bytes;
} Output;
typedef struct {
    i64 arguments, outputs, slots, out_dims, donated, result, arena_bytes, arena_worker_bytes, gil_bytes;
    GcEntry entry;
    GcShapes shapes;
    PyObject *assemble; /* for CALLABLE */
    i64 words;
} Head;
typedef struct Specialization Specialization;
struct Specialization {
    Specialization *next, *all; /* in the order of use; in the order of making, for freeing */
    PyObject *keep;             /* a tuple: dtypes, the assembling callable, the owner of the code */
    i64 hits, frame_bytes;
    Argument *argument;
    Output *output;
    i64 *axis;
    Head head;
};
typedef struct {
    char object[16]; /* PyObject_HEAD; call.py checks its size */
    vectorcallfunc vectorcall;
    PyObject *dict, *weakrefs, *miss, *error;
    Specialization *first, *all;
    i64 frame_bytes, misses, count;
} Compiled;

typedef struct { /* where the parts of one call lie; all inside one frame of memory */
    void **buffers;
    i64 *extents, *out_dims;
    PyObject **made;
    char *scalars;
    i64 touched_bytes;
} Frame;

static i64 frame_bytes(const Head *h) {
    return 8 * (h->arguments + h->outputs + h->slots + h->out_dims + h->outputs + 2 * h->arguments) + 64;
}

static void lay_frame(Frame *f, char *memory, const Head *h) {
    f->scalars = memory; /* first, for their alignment */
    f->buffers = (void **)(memory + 16 * h->arguments);
    f->extents = (i64 *)(f->buffers + h->arguments + h->outputs);
    f->out_dims = f->extents + h->slots;
    f->made = (PyObject **)(f->out_dims + h->out_dims);
    f->touched_bytes = 0;
}

static int same_dtype(PyObject *found, const Argument *a) {
    if (LIKELY(found == a->descr)) return 1;
    char order = FIELD(found, gc_config.off_byteorder, char);
    i32 number = FIELD(found, gc_config.off_type_num, i32);
    return a->type_num >= 0 && (number == a->type_num || number == a->other_type_num) &&
           (order == '=' || order == '|');
}

static int match_array(const Specialization *s, const Argument *a, PyObject *o, Frame *f, i64 index) {
    if (TYPE_OF(o) != gc_config.array_type || FIELD(o, gc_config.off_nd, i32) != a->rank) return 0;
    if (!same_dtype(FIELD(o, gc_config.off_descr, PyObject *), a)) return 0;
    i32 flags = FIELD(o, gc_config.off_flags, i32);
    i32 wanted = ALIGNED | (a->flags & STRIDED ? 0 : CONTIGUOUS) | (a->flags & DONATED ? WRITEABLE : 0);
    if ((flags & wanted) != wanted) return 0;
    const i64 *dims = FIELD(o, gc_config.off_dims, i64 *), *axis = s->axis + a->axes;
    i64 bytes = a->item_bytes;
    for (i64 i = 0; i < a->rank; i++) {
        i64 extent = dims[i], word = axis[i];
        if (word >= 0) {
            if (extent != word) return 0;
        } else {
            i64 code = ~word;
            if (!(code & 1)) f->extents[code >> 1] = extent;
            else if (f->extents[code >> 1] != extent) return 0;
        }
        bytes *= extent;
    }
    if (a->flags & STRIDED) {
        const i64 *strides = FIELD(o, gc_config.off_strides, i64 *);
        i64 *out = f->extents + a->strides, item = a->item_bytes;
        for (i64 i = 0; i < a->rank; i++) {
            if (dims[i] <= 1) { /* NumPy leaves any number there; it is never used to step */
                out[i] = 0;
                continue;
            }
            i64 steps = (item & (item - 1)) ? strides[i] / item : strides[i] >> __builtin_ctzll(item);
            if (steps * item != strides[i]) return 0;
            out[i] = steps;
        }
    }
    f->buffers[index] = FIELD(o, gc_config.off_data, void *);
    f->touched_bytes += bytes;
    return 1;
}

/* The bytes that an array argument spans: [low, high). Zero-size arrays span nothing. */
static void span(const Specialization *s, const Argument *a, PyObject *o, char **low, char **high) {
    const i64 *dims = FIELD(o, gc_config.off_dims, i64 *), *strides = FIELD(o, gc_config.off_strides, i64 *);
    *low = *high = FIELD(o, gc_config.off_data, char *);
    for (i64 i = 0; i < a->rank; i++)
        if (dims[i] == 0) return;
    *high += a->item_bytes;
    for (i64 i = 0; i < a->rank; i++) {
        i64 reach = (dims[i] - 1) * strides[i];
        if (reach < 0) *low += reach;
        else *high += reach;
    }
}

/* A donated argument is written while others are read, so it may share no memory with them. */
static int donations_overlap(const Specialization *s, PyObject *const *args) {
    i64 n = s->head.arguments;
    for (i64 i = 0; i < n; i++) {
        if (!(s->argument[i].flags & DONATED)) continue;
        char *low, *high, *l, *h;
        span(s, &s->argument[i], args[i], &low, &high);
        for (i64 k = 0; k < n; k++) {
            if (k == i || s->argument[k].kind != ARRAY) continue;
            span(s, &s->argument[k], args[k], &l, &h);
            if (l < high && low < h) return 1;
        }
    }
    return 0;
}

static int match(const Specialization *s, PyObject *const *args, i64 nargs, Frame *f) {
    if (nargs != s->head.arguments) return 0;
    for (i64 i = 0; i < nargs; i++) {
        const Argument *a = &s->argument[i];
        PyObject *o = args[i];
        if (LIKELY(a->kind == ARRAY)) {
            if (!match_array(s, a, o, f, i)) return 0;
            continue;
        }
        char *slot = f->scalars + 16 * i;
        f->buffers[i] = slot;
        if (a->kind == PY_FLOAT) {
            if (TYPE_OF(o) != PyFloat_Type) return 0;
            *(double *)slot = PyFloat_AsDouble(o);
        } else if (a->kind == PY_INT) {
            int overflow = 0;
            if (TYPE_OF(o) != PyLong_Type) return 0;
            *(i64 *)slot = PyLong_AsLongLongAndOverflow(o, &overflow);
            if (overflow) return 0;
        } else if (a->kind == PY_BOOL) {
            if ((char *)o != _Py_TrueStruct && (char *)o != _Py_FalseStruct) return 0;
            *(i64 *)slot = (char *)o == _Py_TrueStruct;
        } else {
            if (TYPE_OF(o) != PyComplex_Type) return 0;
            ((double *)slot)[0] = PyComplex_RealAsDouble(o);
            ((double *)slot)[1] = PyComplex_ImagAsDouble(o);
        }
    }
    return !(s->head.donated && donations_overlap(s, args));
}

/* ------------------------------------------------------------------------------------------------ running a match */
static PyObject *new_array(PyObject *descr, i64 rank, i64 *dims, i64 bytes) {
    PyObject *(*make)(void *, PyObject *, int, i64 *, i64 *, void *, int, PyObject *) = gc_config.new_from_descr;
    PyObject *(*set_handler)(PyObject *) = gc_config.set_handler;
    Py_IncRef(descr); /* stolen by NumPy */
    if (LIKELY(bytes < gc_config.large_bytes || !gc_config.handler))
        return make(gc_config.array_type, descr, (int)rank, dims, NULL, NULL, 0, NULL);
    PyObject *usual = set_handler(gc_config.handler);
    if (!usual) {
        Py_DecRef(descr);
        return NULL;
    }
    PyObject *array = make(gc_config.array_type, descr, (int)rank, dims, NULL, NULL, 0, NULL);
    PyObject *ours = set_handler(usual);
    Py_DecRef(usual);
    if (ours) Py_DecRef(ours);
    return array;
}

static int make_outputs(Specialization *s, PyObject *const *args, Frame *f, i64 *made) {
    const Head *h = &s->head;
    i64 *shaped = f->out_dims;
    for (i64 i = 0; i < h->outputs; i++) {
        const Output *o = &s->output[i];
        i64 bytes = o->item_bytes;
        if (o->alias >= 0) {
            f->made[i] = args[o->alias];
            Py_IncRef(f->made[i]);
        } else {
            for (i64 k = 0; k < o->rank; k++)
                if (__builtin_mul_overflow(bytes, shaped[k], &bytes)) bytes = 0; /* too large: NumPy refuses it */
            if (!(f->made[i] = new_array(o->descr, o->rank, shaped, bytes))) return 0;
            f->touched_bytes += bytes;
        }
        shaped += o->rank;
        *made = i + 1;
        f->buffers[h->arguments + i] = FIELD(f->made[i], gc_config.off_data, void *);
    }
    return 1;
}

static PyObject *list_of(PyObject **items, i64 n) {
    PyObject *list = PyList_New(n);
    for (i64 i = 0; i < n; i++) {
        if (list) PyList_SetItem(list, i, items[i]);
        else Py_DecRef(items[i]);
    }
    return list;
}

static PyObject *hand_over(Specialization *s, Frame *f) {
    const Head *h = &s->head;
    i64 n = h->outputs;
    PyObject *(*to_scalar)(PyObject *) = gc_config.array_return;
    for (i64 i = 0; i < n; i++) {
        if (LIKELY(!(s->output[i].flags & SCALAR_RESULT))) continue;
        f->made[i] = to_scalar(f->made[i]); /* steals */
        if (f->made[i]) continue;
        for (i64 k = 0; k < n; k++)
            if (k != i) Py_DecRef(f->made[k]);
        return NULL;
    }
    if (h->result == SINGLE) return f->made[0];
    if (h->result == TUPLE) {
        PyObject *tuple = PyTuple_New(n);
        for (i64 i = 0; i < n; i++) {
            if (tuple) PyTuple_SetItem(tuple, i, f->made[i]);
            else Py_DecRef(f->made[i]);
        }
        return tuple;
    }
    PyObject *list = list_of(f->made, n);
    if (!list || h->result == LIST) return list;
    PyObject *result = PyObject_CallFunctionObjArgs(h->assemble, list, NULL);
    Py_DecRef(list);
    return result;
}

/* The generated code gave an error code: Python raises for it, knowing what the code means. */
static PyObject *fail(Compiled *self, i64 code, Frame *f, i64 made) {
    PyObject *list = list_of(f->made, made), *number = list ? PyLong_FromLongLong(code) : NULL, *answer = NULL;
    if (number && self->error) answer = PyObject_CallFunctionObjArgs(self->error, number, list, NULL);
    if (answer || (number && !self->error))
        PyErr_Format(PyExc_RuntimeError, "generated code failed with error code %lld", (long long)code);
    if (answer) Py_DecRef(answer);
    if (number) Py_DecRef(number);
    if (list) Py_DecRef(list);
    return NULL;
}

#define SMALL_ARENA_BYTES 4096

__attribute__((noinline)) static PyObject *out_of_memory(i64 bytes) {
    return PyErr_Format(PyExc_MemoryError, "unable to allocate %lld bytes of workspace for a compiled function",
                        (long long)bytes);
}

static PyObject *run(Compiled *self, Specialization *s, PyObject *const *args, Frame *f, i64 arena_bytes) {
    char small[SMALL_ARENA_BYTES] __attribute__((aligned(64)));
    GcRuntime runtime = {runtime_parallel_for, GET(&gc_workers), 1};
    void *arena = NULL;
    i64 made = 0, code = 0;
    PyObject *result = NULL;
    if (s->head.arena_worker_bytes) arena_bytes += s->head.arena_worker_bytes * runtime.workers;
    if (arena_bytes > 0) {
        arena = arena_bytes <= SMALL_ARENA_BYTES ? small : gc_block_take(arena_bytes);
        if (UNLIKELY(!arena)) return out_of_memory(arena_bytes);
    }
    int ok = make_outputs(s, args, f, &made);
    if (LIKELY(ok)) {
        if (s->head.gil_bytes >= 0 && f->touched_bytes >= s->head.gil_bytes) {
            void *thread = PyEval_SaveThread();
            code = s->head.entry(f->buffers, f->extents, arena, &runtime);
            PyEval_RestoreThread(thread);
        } else {
            code = s->head.entry(f->buffers, f->extents, arena, &runtime);
        }
    }
    if (arena && arena != small) gc_block_give(arena);
    if (LIKELY(ok && code == 0)) return hand_over(s, f);
    if (ok) return fail(self, code, f, made);
    for (i64 i = 0; i < made; i++) Py_DecRef(f->made[i]);
    return result;
}

/* The extents of all outputs, and the arena's bytes; -1 when the extents do not fit together. */
static i64 shape_outputs(Specialization *s, Frame *f) {
    const Head *h = &s->head;
    if (h->shapes) {
        i64 bytes = h->shapes(f->extents, f->out_dims);
        for (i64 i = 0; i < h->out_dims; i++)
            if (f->out_dims[i] < 0) return -1;
        return bytes;
    }
    i64 *out = f->out_dims;
    for (i64 i = 0; i < h->outputs; i++) {
        const i64 *axis = s->axis + s->output[i].axes;
        for (i64 k = 0; k < s->output[i].rank; k++) *out++ = axis[k] >= 0 ? axis[k] : f->extents[~axis[k] >> 1];
    }
    return h->arena_bytes;
}

static PyObject *dispatch(Compiled *self, PyObject *const *args, i64 nargs, char *memory, int *found) {
    Frame f;
    Specialization *before = NULL;
    for (Specialization *s = GET(&self->first); s; before = s, s = GET(&s->next)) {
        lay_frame(&f, memory, &s->head);
        if (!match(s, args, nargs, &f)) continue;
        i64 arena_bytes = shape_outputs(s, &f);
        if (arena_bytes < 0) continue;
        if (UNLIKELY(before != NULL)) { /* to the front; only under the GIL, which is held here */
            PUT(&before->next, s->next);
            PUT(&s->next, self->first);
            PUT(&self->first, s);
        }
        s->hits++;
        *found = 1;
        return run(self, s, args, &f, arena_bytes);
    }
    *found = 0;
    return NULL;
}

#define FRAME_ON_STACK_BYTES 8192

static PyObject *compiled_call(PyObject *object, PyObject *const *args, size_t nargsf, PyObject *kwnames) {
    Compiled *self = (Compiled *)object;
    i64 nargs = (i64)(nargsf & ~(1UL << 63)), bytes = self->frame_bytes; /* the bit: PY_VECTORCALL_ARGUMENTS_OFFSET */
    int found = 0;
    if (LIKELY((!kwnames || PyTuple_Size(kwnames) == 0) && self->first)) {
        PyObject *result;
        if (LIKELY(bytes <= FRAME_ON_STACK_BYTES)) {
            char *memory = __builtin_alloca_with_align(bytes, 128 /* bits */);
            result = dispatch(self, args, nargs, memory, &found);
        } else {
            char *memory = malloc(bytes);
            if (!memory) return PyErr_NoMemory();
            result = dispatch(self, args, nargs, memory, &found);
            free(memory);
        }
        if (LIKELY(found)) return result;
    }
    self->misses++;
    if (!self->miss) return PyErr_Format(PyExc_RuntimeError, "a compiled function was called after it was cleared");
    PyObject *miss = self->miss;
    Py_IncRef(miss);
    PyObject *result = PyObject_Vectorcall(miss, args, nargsf, kwnames);
    Py_DecRef(miss);
    return result;
}

/* ----------------------------------------------------------------------------------------------------- the type */
static PyObject *compiled_new(PyObject *type, PyObject *args, PyObject *kwargs) {
    long n = PyTuple_Size(args);
    if (n < 1 || n > 2 || (kwargs && PyDict_Size(kwargs)))
        return PyErr_Format(PyExc_TypeError, "Compiled(miss, error=None) takes one or two positional arguments");
    Compiled *self = (Compiled *)PyType_GenericAlloc(type, 0);
    if (!self) return NULL;
    self->vectorcall = compiled_call;
    self->miss = PyTuple_GetItem(args, 0);
    Py_IncRef(self->miss);
    if (n == 2 && (char *)PyTuple_GetItem(args, 1) != _Py_NoneStruct) {
        self->error = PyTuple_GetItem(args, 1);
        Py_IncRef(self->error);
    }
    return (PyObject *)self;
}

typedef int (*visitproc)(PyObject *, void *);
static int compiled_traverse(PyObject *object, visitproc visit, void *arg) {
    Compiled *self = (Compiled *)object;
    PyObject *held[] = {TYPE_OF(object), self->dict, self->miss, self->error};
    int stop;
    for (i64 i = 0; i < 4; i++)
        if (held[i] && (stop = visit(held[i], arg))) return stop;
    for (Specialization *s = self->all; s; s = s->all)
        if (s->keep && (stop = visit(s->keep, arg))) return stop;
    return 0;
}

static void drop(PyObject **place) {
    PyObject *old = *place;
    *place = NULL;
    if (old) Py_DecRef(old);
}

static int compiled_clear(PyObject *object) {
    Compiled *self = (Compiled *)object;
    PUT(&self->first, NULL);
    drop(&self->dict), drop(&self->miss), drop(&self->error);
    for (Specialization *s = self->all; s; s = s->all) drop(&s->keep);
    return 0;
}

static void compiled_dealloc(PyObject *object) {
    Compiled *self = (Compiled *)object;
    PyObject *type = TYPE_OF(object);
    PyObject_GC_UnTrack(object);
    if (self->weakrefs) PyObject_ClearWeakRefs(object);
    compiled_clear(object);
    for (Specialization *s = self->all, *next; s; s = next) next = s->all, free(s);
    PyObject_GC_Del(object);
    Py_DecRef(type);
}

/* As functions do: an instance found in a class becomes a bound method. */
static PyObject *compiled_get(PyObject *self, PyObject *instance, PyObject *type) {
    if (instance && (char *)instance != _Py_NoneStruct) return PyMethod_New(self, instance);
    Py_IncRef(self);
    return self;
}

typedef struct {
    const char *name;
    int type;
    long offset;
    int flags;
    const char *doc;
} Member;
typedef struct {
    const char *name;
    void *get, *set;
    const char *doc;
    void *closure;
} GetSet;
typedef struct {
    int slot;
    void *function;
} Slot;
#define AT(field) (long)__builtin_offsetof(Compiled, field)

EXPORT PyObject *gc_make_type(void) {
    static Member members[] = {{"__vectorcalloffset__", 19 /* Py_ssize_t */, AT(vectorcall), 1, NULL},
                               {"__dictoffset__", 19, AT(dict), 1, NULL},
                               {"__weaklistoffset__", 19, AT(weakrefs), 1, NULL},
                               {NULL, 0, 0, 0, NULL}};
    static GetSet getset[] = {{"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
                              {NULL, NULL, NULL, NULL, NULL}};
    static Slot slots[] = {{50, PyVectorcall_Call}, {52, compiled_dealloc}, {54, compiled_get},
                           {71, compiled_traverse}, {51, compiled_clear},   {65, compiled_new},
                           {72, members},           {73, getset},           {0, NULL}};
    /* base type, vectorcall, garbage collected, method descriptor */
    static struct {
        const char *name;
        int basic_bytes, item_bytes;
        u32 flags;
        Slot *slots;
    } spec = {"graphc_runtime.Compiled", sizeof(Compiled), 0, 1u << 10 | 1u << 11 | 1u << 14 | 1u << 17, slots};
    return PyType_FromSpec(&spec);
}

/* -------------------------------------------------------------------------------------- what call.py asks for */
/* For the check at start and for measuring calls. */
EXPORT i64 gc_empty_entry(void **buffers, i64 *extents, void *arena, GcRuntime *runtime) { return 0; }

EXPORT i64 gc_setup(const GcConfig *config) {
    if (config->size_bytes != sizeof(GcConfig)) return sizeof(GcConfig);
    gc_config = *config;
    return 0;
}

EXPORT const i64 gc_layout[] = {sizeof(Head), sizeof(Argument), sizeof(Output), sizeof(Compiled), sizeof(GcConfig)};

/* Adds a specialization before all others. `keep` is a new reference's worth of what it needs alive. 0 or -1. */
EXPORT i64 gc_add(PyObject *object, const char *packed, i64 bytes, PyObject *keep) {
    Compiled *self = (Compiled *)object;
    Specialization *s = malloc(sizeof(Specialization) - sizeof(Head) + bytes);
    if (!s) return -1;
    memcpy(&s->head, packed, bytes);
    s->argument = (Argument *)(&s->head + 1);
    s->output = (Output *)(s->argument + s->head.arguments);
    s->axis = (i64 *)(s->output + s->head.outputs);
    s->hits = 0;
    s->frame_bytes = frame_bytes(&s->head);
    s->keep = keep;
    Py_IncRef(keep);
    if (s->frame_bytes > self->frame_bytes) self->frame_bytes = s->frame_bytes;
    s->all = self->all;
    self->all = s;
    s->next = self->first;
    PUT(&self->first, s);
    self->count++;
    return 0;
}

/* Takes all specializations out of use; they are freed with the instance, since a call may be running in one. */
EXPORT void gc_clear(PyObject *object) {
    PUT(&((Compiled *)object)->first, NULL);
    ((Compiled *)object)->count = 0;
}

/* specializations in use, hits, misses */
EXPORT void gc_statistics(PyObject *object, i64 *out) {
    Compiled *self = (Compiled *)object;
    out[0] = self->count, out[1] = 0, out[2] = self->misses;
    for (Specialization *s = self->all; s; s = s->all) out[1] += s->hits;
}

EXPORT void gc_runtime_now(GcRuntime *out) {
    *out = (GcRuntime){runtime_parallel_for, GET(&gc_workers), 1};
}
