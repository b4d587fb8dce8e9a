/* What a specialization is, and whether arguments fit one. Part of native.c. */

/* ---------------------------------------- CPython, by hand */
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
extern int PyTuple_SetItem(PyObject *, long, PyObject *),
    PyList_SetItem(PyObject *, long, PyObject *);
extern long PyTuple_Size(PyObject *), PyDict_Size(PyObject *);
extern PyObject *PyTuple_GetItem(PyObject *, long);
extern double PyFloat_AsDouble(PyObject *), PyComplex_RealAsDouble(PyObject *),
    PyComplex_ImagAsDouble(PyObject *);
extern long long PyLong_AsLongLongAndOverflow(PyObject *, int *);
extern int PyObject_RichCompareBool(PyObject *, PyObject *, int);
extern void *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(void *);
extern PyObject *PyErr_NoMemory(void), *PyErr_Format(PyObject *, const char *, ...),
    *PyErr_Occurred(void);
extern PyObject *PyExc_MemoryError, *PyExc_TypeError, *PyExc_RuntimeError;
extern char PyFloat_Type[], PyLong_Type[], PyComplex_Type[], PyUnicode_Type[], _Py_NoneStruct[],
    _Py_TrueStruct[], _Py_FalseStruct[];

#define FIELD(object, offset, type) (*(type *)((char *)(object) + (offset)))
#define TYPE_OF(object) FIELD(object, gc_config.off_type, void *)
#define CONTIGUOUS 0x1
#define ALIGNED 0x100
#define WRITEABLE 0x400

/* ---------------------------------------- a specialization
 * call.py packs one as bytes: Head, the Argument records, the Output records, then 64-bit axis
 * words. An axis word >= 0 is a constant extent; a negative one names a slot s of the extents: ~(2
 * s) binds it, ~(2 s + 1) compares with it. */
enum { ARRAY, PY_FLOAT, PY_INT, PY_BOOL, PY_COMPLEX, STATIC };
enum { SINGLE, TUPLE, LIST, CALLABLE };
enum { STRIDED = 1, DONATED = 2 };
enum { SCALAR_RESULT = 1 };

typedef struct {
    u8 kind, flags, rank,
        other_type_num; /* the other: int64 is both `long` and `long long`; 255 for none */
    i32 type_num;
    PyObject *descr;   /* of a STATIC argument: the object itself */
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
    i64 arguments, outputs, slots, out_dims, donated, result, arena_bytes, arena_worker_bytes,
        gil_bytes;
    i64 inputs; /* arguments that have a buffer: all but the static ones */
    GcEntry entry;
    GcShapes shapes;
    PyObject *assemble; /* for CALLABLE */
    PyObject *keywords; /* a tuple of names for the last arguments, or NULL */
    i64 words;
} Head;
typedef struct Specialization Specialization;
struct Specialization {
    Specialization *next, *all; /* in the order of use; in the order of making, for freeing */
    PyObject *keep; /* a tuple: dtypes, the assembling callable, the owner of the code */
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
    return 8 * (h->arguments + h->outputs + h->slots + h->out_dims + h->outputs +
                2 * h->arguments) +
           64;
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

static int match_array(const Specialization *s, const Argument *a, PyObject *o, Frame *f,
                       i64 index) {
    if (TYPE_OF(o) != gc_config.array_type || FIELD(o, gc_config.off_nd, i32) != a->rank) return 0;
    if (!same_dtype(FIELD(o, gc_config.off_descr, PyObject *), a)) return 0;
    i32 flags = FIELD(o, gc_config.off_flags, i32);
    i32 wanted =
        ALIGNED | (a->flags & STRIDED ? 0 : CONTIGUOUS) | (a->flags & DONATED ? WRITEABLE : 0);
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
            i64 steps =
                (item & (item - 1)) ? strides[i] / item : strides[i] >> __builtin_ctzll(item);
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
    const i64 *dims = FIELD(o, gc_config.off_dims, i64 *),
              *strides = FIELD(o, gc_config.off_strides, i64 *);
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

/* Numbers and texts may be equal without being one object; comparing them runs no code of others.
 */
static int same_static(PyObject *found, PyObject *wanted) {
    if (found == wanted) return 1;
    void *type = TYPE_OF(found);
    if (type != TYPE_OF(wanted) || (type != PyLong_Type && type != PyUnicode_Type)) return 0;
    return PyObject_RichCompareBool(found, wanted, 2 /* == */) == 1;
}

/* Names are interned where they are written in a call, and here, so identity is enough. */
static int same_keywords(PyObject *found, PyObject *wanted) {
    if (found == wanted) return 1;
    if (!found || !wanted) return 0;
    long n = PyTuple_Size(found);
    if (n != PyTuple_Size(wanted)) return 0;
    for (long i = 0; i < n; i++)
        if (PyTuple_GetItem(found, i) != PyTuple_GetItem(wanted, i)) return 0;
    return 1;
}

static int match(const Specialization *s, PyObject *const *args, i64 nargs, Frame *f) {
    if (nargs != s->head.arguments) return 0;
    i64 buffer = 0;
    for (i64 i = 0; i < nargs; i++) {
        const Argument *a = &s->argument[i];
        PyObject *o = args[i];
        if (LIKELY(a->kind == ARRAY)) {
            if (!match_array(s, a, o, f, buffer++)) return 0;
            continue;
        }
        if (a->kind == STATIC) {
            if (!same_static(o, a->descr)) return 0;
            continue;
        }
        char *slot = f->scalars + 16 * i;
        f->buffers[buffer++] = slot;
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
