/* The native runtime: a fork-join thread pool, a pool of memory blocks, and the type `Compiled`,
 * whose instances are called without any Python between the interpreter and the generated code.
 *
 * native.ll is made from this file by make_native.py and is what ships; nobody needs a C compiler
 * to install graphc. The command (make_native.py holds it too):
 *
 *     clang-16 -std=gnu11 -O2 -fPIC -ffreestanding -fno-builtin -fno-stack-protector
 *         -fno-exceptions -fno-asynchronous-unwind-tables -fno-unwind-tables -fno-strict-aliasing
 *         -fvisibility=hidden -Wall -Wextra -Wno-unused-parameter -Werror -S -emit-llvm native.c
 *
 * then the lines of triple and data layout, the attributes of the machine (target-cpu,
 * target-features, tune-cpu) and the compiler's ident are dropped.
 *
 * One call: match the arguments against the specializations, the one used last first -> allocate
 * outputs and arena -> release the GIL when the work is worth it -> entry -> hand the outputs over.
 * Whatever does not match goes to the Python callable `miss` with the arguments as they came.
 *
 * The list of specializations changes only under the GIL; a specialization is freed only with its
 * instance. References are counted by Py_IncRef and Py_DecRef, never inline, so no layout of a
 * reference count is known here.
 */
#include "native.h"

GcConfig gc_config;
#include "native_memory.h"
#include "native_threads.h"
#include "native_match.h"

/* ---------------------------------------- running a match */
static PyObject *new_array(PyObject *descr, i64 rank, i64 *dims, i64 bytes) {
    PyObject *(*make)(void *, PyObject *, int, i64 *, i64 *, void *, int, PyObject *) =
        gc_config.new_from_descr;
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
                if (__builtin_mul_overflow(bytes, shaped[k], &bytes))
                    bytes = 0; /* too large: NumPy refuses it */
            if (!(f->made[i] = new_array(o->descr, o->rank, shaped, bytes))) return 0;
            f->touched_bytes += bytes;
        }
        shaped += o->rank;
        *made = i + 1;
        f->buffers[h->inputs + i] = FIELD(f->made[i], gc_config.off_data, void *);
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
    PyObject *list = list_of(f->made, made), *number = list ? PyLong_FromLongLong(code) : NULL,
             *answer = NULL;
    if (number && self->error)
        answer = PyObject_CallFunctionObjArgs(self->error, number, list, NULL);
    if (answer || (number && !self->error))
        PyErr_Format(PyExc_RuntimeError, "generated code failed with error code %lld",
                     (long long)code);
    if (answer) Py_DecRef(answer);
    if (number) Py_DecRef(number);
    if (list) Py_DecRef(list);
    return NULL;
}

#define SMALL_ARENA_BYTES 4096

__attribute__((noinline)) static PyObject *out_of_memory(i64 bytes) {
    return PyErr_Format(PyExc_MemoryError,
                        "unable to allocate %lld bytes of workspace for a compiled function",
                        (long long)bytes);
}

static PyObject *run(Compiled *self, Specialization *s, PyObject *const *args, Frame *f,
                     i64 arena_bytes) {
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
        for (i64 k = 0; k < s->output[i].rank; k++)
            *out++ = axis[k] >= 0 ? axis[k] : f->extents[~axis[k] >> 1];
    }
    return h->arena_bytes;
}

static PyObject *dispatch(Compiled *self, PyObject *const *args, i64 nargs, PyObject *kwnames,
                          char *memory, int *found) {
    Frame f;
    Specialization *before = NULL;
    for (Specialization *s = GET(&self->first); s; before = s, s = GET(&s->next)) {
        lay_frame(&f, memory, &s->head);
        if (!same_keywords(kwnames, s->head.keywords) || !match(s, args, nargs, &f)) continue;
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

static PyObject *compiled_call(PyObject *object, PyObject *const *args, size_t nargsf,
                               PyObject *kwnames) {
    Compiled *self = (Compiled *)object;
    i64 nargs = (i64)(nargsf & ~(1UL << 63)); /* the bit: PY_VECTORCALL_ARGUMENTS_OFFSET */
    i64 bytes = self->frame_bytes, named = kwnames ? PyTuple_Size(kwnames) : 0;
    PyObject *names = named ? kwnames : NULL;
    int found = 0;
    nargs += named; /* their values follow the positional ones */
    if (LIKELY(self->first != NULL)) {
        PyObject *result;
        if (LIKELY(bytes <= FRAME_ON_STACK_BYTES)) {
            char *memory = __builtin_alloca_with_align(bytes, 128 /* bits */);
            result = dispatch(self, args, nargs, names, memory, &found);
        } else {
            char *memory = malloc(bytes);
            if (!memory) return PyErr_NoMemory();
            result = dispatch(self, args, nargs, names, memory, &found);
            free(memory);
        }
        if (LIKELY(found)) return result;
    }
    self->misses++;
    if (!self->miss)
        return PyErr_Format(PyExc_RuntimeError,
                            "a compiled function was called after it was cleared");
    PyObject *miss = self->miss;
    Py_IncRef(miss);
    PyObject *result = PyObject_Vectorcall(miss, args, nargsf, kwnames);
    Py_DecRef(miss);
    return result;
}

/* ---------------------------------------- the type */
static PyObject *compiled_new(PyObject *type, PyObject *args, PyObject *kwargs) {
    long n = PyTuple_Size(args);
    if (n < 1 || n > 2 || (kwargs && PyDict_Size(kwargs)))
        return PyErr_Format(PyExc_TypeError,
                            "Compiled(miss, error=None) takes one or two positional arguments");
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
    static Member members[] = {
        {"__vectorcalloffset__", 19 /* Py_ssize_t */, AT(vectorcall), 1, NULL},
        {"__dictoffset__", 19, AT(dict), 1, NULL},
        {"__weaklistoffset__", 19, AT(weakrefs), 1, NULL},
        {NULL, 0, 0, 0, NULL}};
    static GetSet getset[] = {
        {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, NULL, NULL},
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
    } spec = {"graphc_runtime.Compiled", sizeof(Compiled), 0,
              1u << 10 | 1u << 11 | 1u << 14 | 1u << 17, slots};
    return PyType_FromSpec(&spec);
}

/* ---------------------------------------- what call.py asks for */
/* For the check at start and for measuring calls. */
EXPORT i64 gc_empty_entry(void **buffers, i64 *extents, void *arena, GcRuntime *runtime) {
    return 0;
}

EXPORT i64 gc_setup(const GcConfig *config) {
    if (config->size_bytes != sizeof(GcConfig)) return sizeof(GcConfig);
    gc_config = *config;
    return 0;
}

EXPORT const i64 gc_layout[] = {sizeof(Head), sizeof(Argument), sizeof(Output), sizeof(Compiled),
                                sizeof(GcConfig)};

/* Adds a specialization before all others. `keep` is a new reference's worth of what it needs
 * alive. 0 or -1. */
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

/* Takes all specializations out of use; they are freed with the instance, since a call may be
 * running in one. */
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
