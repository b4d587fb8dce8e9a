/* An extension module of CPython around a library of graphc/aot: any object with a buffer in,
 * memoryviews out. Python's stable ABI of 3.11 and nothing else; no header of it is read.
 *
 * extension.ll is made from this file by make_native.py; graphc/aot/extension.py adds the tables of
 * the functions, and the module's definition. Every symbol is hidden but PyInit_NAME.
 */
typedef unsigned char u8;
typedef long long i64;
typedef struct PyObject PyObject;
#define NULL ((void *)0)

/* ---------------------------------------- CPython, by hand */
typedef struct {
    void *buf;
    PyObject *obj;
    long len, itemsize;
    int readonly, ndim;
    char *format;
    long *shape, *strides, *suboffsets;
    void *internal;
} View;
enum { WRITABLE = 1, CONTIGUOUS = 0x38 | 4 /* and its format */ };
extern int PyObject_GetBuffer(PyObject *, View *, int);
extern void PyBuffer_Release(View *);
extern void *PyMem_Malloc(long);
extern void PyMem_Free(void *);
extern void PyObject_Free(void *);
extern void Py_IncRef(PyObject *), Py_DecRef(PyObject *);
extern PyObject *PyErr_Format(PyObject *, const char *, ...), *PyErr_NoMemory(void),
    *PyErr_Occurred(void);
extern void PyErr_Clear(void);
extern PyObject *PyExc_TypeError, *PyExc_ValueError, *PyExc_IndexError, *PyExc_ArithmeticError;
extern PyObject *PyTuple_New(long), *PyTuple_GetItem(PyObject *, long);
extern int PyTuple_SetItem(PyObject *, long, PyObject *);
extern long PyTuple_Size(PyObject *);
extern int PyUnicode_CompareWithASCIIString(PyObject *, const char *);
extern double PyFloat_AsDouble(PyObject *);
extern long long PyLong_AsLongLong(PyObject *);
extern unsigned long long PyLong_AsUnsignedLongLong(PyObject *);
extern double PyComplex_RealAsDouble(PyObject *), PyComplex_ImagAsDouble(PyObject *);
extern int PyObject_IsInstance(PyObject *, PyObject *);
extern PyObject *PyMemoryView_FromObject(PyObject *);
extern PyObject *PyType_FromSpec(void *), *PyType_GenericAlloc(PyObject *, long);
extern PyObject *PyModule_Create2(void *, int);
extern void *PyEval_SaveThread(void);
extern void PyEval_RestoreThread(void *);
extern char PyFloat_Type[], PyLong_Type[], PyBool_Type[], PyComplex_Type[], _Py_TrueStruct[];
extern void *memcpy(void *, const void *, unsigned long);

/* ---------------------------------------- the tables */
enum { INOUT = 1, NUMBER = 2 /* a Python number */ };
typedef struct {
    const char *name, *type, *format;
    i64 kind; /* 'i' 'u' 'f' '?' 'Z'; 'h': 16 bits of a float that C has no type for */
    i64 item_bytes, rank, flags, alias;
    const i64 *axes; /* an extent, or ~ the number of a symbol */
} Array;
typedef struct {
    const char *name;
    i64 arguments, outputs, symbols, dims;
    const Array *argument, *output;
    i64 (*need)(i64 *extents);
    i64 (*shapes)(i64 *extents, i64 *dims);
    int (*run)(i64 *extents, void **buffers, void *workspace, i64 workspace_bytes);
    const char *(*error)(int code);
} Function;

/* ---------------------------------------- results */
typedef struct {
    char head[8];
    PyObject *type;
    char *block; /* shape, strides, then the data */
    long rank, item_bytes, nbytes;
    const char *format;
} Result;
static PyObject *result_type;

static int result_buffer(Result *self, View *view, int flags) {
    long *shape = (long *)self->block;
    *view = (View){.buf = shape + 2 * self->rank, .obj = (PyObject *)self, .len = self->nbytes,
                   .itemsize = self->item_bytes, .ndim = (int)self->rank, .shape = shape,
                   .strides = shape + self->rank, .format = (char *)self->format};
    Py_IncRef(view->obj);
    return 0;
}

static void result_free(Result *self) {
    PyObject *type = self->type;
    PyMem_Free(self->block);
    PyObject_Free(self);
    Py_DecRef(type);
}

static Result *result_new(const Array *a, const i64 *dims) {
    i64 nbytes = a->item_bytes, step = a->item_bytes;
    for (i64 k = 0; k < a->rank; k++)
        if (__builtin_mul_overflow(nbytes, dims[k], &nbytes)) return (void *)PyErr_NoMemory();
    if (nbytes > (1ll << 62)) return (void *)PyErr_NoMemory();
    Result *made = (Result *)PyType_GenericAlloc(result_type, 0);
    if (!made) return NULL;
    made->block = PyMem_Malloc(16 * a->rank + nbytes);
    if (!made->block) {
        Py_DecRef((PyObject *)made);
        return (void *)PyErr_NoMemory();
    }
    long *shape = (long *)made->block;
    for (i64 k = a->rank - 1; k >= 0; k--) {
        shape[k] = dims[k];
        shape[a->rank + k] = step;
        step *= dims[k];
    }
    made->rank = a->rank, made->item_bytes = a->item_bytes, made->nbytes = nbytes;
    made->format = a->format;
    return made;
}

/* ---------------------------------------- arguments */
static int same_kind(const Array *a, const View *v) {
    const char *f = v->format ? v->format : "B";
    if (*f == '@' || *f == '=' || *f == '<') f++;
    if (v->itemsize != a->item_bytes || !*f || (f[1] && *f != 'Z')) return 0;
    switch (a->kind) {
    case 'i': return *f == 'b' || *f == 'h' || *f == 'i' || *f == 'l' || *f == 'q';
    case 'u': return *f == 'B' || *f == 'H' || *f == 'I' || *f == 'L' || *f == 'Q';
    case 'f': return *f == 'e' || *f == 'f' || *f == 'd';
    case 'h': return *f == 'H' || *f == 'E';
    default: return *f == (char)a->kind;
    }
}

static int refuse(const Function *f, const Array *a, const char *what) {
    PyErr_Format(PyExc_TypeError, "%s: %s %s; expected %s", f->name, a->name, what, a->type);
    return 0;
}

/* A Python number for a number of the program; 0: an exception is set. */
static int take_number(const Function *f, const Array *a, PyObject *o, char *slot) {
    int truth = PyObject_IsInstance(o, (PyObject *)PyBool_Type);
    int whole = PyObject_IsInstance(o, (PyObject *)PyLong_Type) && !truth;
    int real = whole || PyObject_IsInstance(o, (PyObject *)PyFloat_Type);
    if (a->kind == '?' && truth) {
        *slot = (char *)o == _Py_TrueStruct;
        return 1;
    }
    if (a->kind == 'f' && real && a->item_bytes >= 4) {
        double value = PyFloat_AsDouble(o);
        if (a->item_bytes == 4) *(float *)slot = (float)value;
        else *(double *)slot = value;
        return !PyErr_Occurred();
    }
    if (a->kind == 'Z' && (real || PyObject_IsInstance(o, (PyObject *)PyComplex_Type))) {
        double re = PyComplex_RealAsDouble(o), im = PyComplex_ImagAsDouble(o);
        if (a->item_bytes == 8) ((float *)slot)[0] = (float)re, ((float *)slot)[1] = (float)im;
        else ((double *)slot)[0] = re, ((double *)slot)[1] = im;
        return !PyErr_Occurred();
    }
    if ((a->kind == 'i' || a->kind == 'u') && whole) {
        i64 bits = 8 * a->item_bytes, value;
        if (a->kind == 'u' && bits == 64) value = (i64)PyLong_AsUnsignedLongLong(o);
        else value = PyLong_AsLongLong(o);
        if (PyErr_Occurred()) return 0;
        i64 low = a->kind == 'u' ? 0 : -(1ll << (bits - 1)),
            high = a->kind == 'u' ? (1ll << (bits & 63)) - 1 : (1ll << (bits - 1)) - 1;
        if (bits < 64 && (value < low || value > high)) return refuse(f, a, "does not fit");
        memcpy(slot, &value, a->item_bytes);
        return 1;
    }
    return refuse(f, a, "is another object");
}

static int take(const Function *f, const Array *a, PyObject *o, View *v, i64 *extents, void **buffer,
                char *slot) {
    int number = a->rank == 0 && !(a->flags & INOUT);
    if (a->flags & NUMBER) {
        *buffer = slot;
        return take_number(f, a, o, slot);
    }
    if (PyObject_GetBuffer(o, v, CONTIGUOUS | (a->flags & INOUT ? WRITABLE : 0))) {
        v->obj = NULL;
        PyErr_Clear();
        if (!number)
            return refuse(f, a, a->flags & INOUT ? "has no contiguous buffer that may be written"
                                                 : "has no contiguous buffer");
        *buffer = slot;
        return take_number(f, a, o, slot);
    }
    if (!same_kind(a, v)) return refuse(f, a, "has elements of another type");
    if (v->ndim != a->rank) return refuse(f, a, "has another number of axes");
    for (i64 k = 0; k < a->rank; k++) {
        i64 wanted = a->axes[k], found = v->shape[k];
        if (wanted < 0) {
            i64 *symbol = &extents[~wanted];
            if (*symbol < 0) *symbol = found;
            wanted = *symbol;
        }
        if (found != wanted) {
            PyErr_Format(PyExc_ValueError, "%s: axis %lld of %s is %lld and not %lld; expected %s",
                         f->name, k, a->name, found, wanted, a->type);
            return 0;
        }
    }
    *buffer = v->buf;
    return 1;
}

static int bind(const Function *f, PyObject *const *args, long given, PyObject *names,
                PyObject **values) {
    long more = names ? PyTuple_Size(names) : 0;
    if (given + more > f->arguments) {
        PyErr_Format(PyExc_TypeError, "%s() takes %lld arguments, and %ld were given", f->name,
                     f->arguments, given + more);
        return 0;
    }
    for (long k = 0; k < f->arguments; k++) values[k] = k < given ? args[k] : NULL;
    for (long m = 0; m < more; m++) {
        PyObject *name = PyTuple_GetItem(names, m);
        long k = 0;
        while (k < f->arguments && PyUnicode_CompareWithASCIIString(name, f->argument[k].name)) k++;
        if (k == f->arguments || values[k]) {
            PyErr_Format(PyExc_TypeError, "%s() has no argument %R, or two of them", f->name, name);
            return 0;
        }
        values[k] = args[given + m];
    }
    for (long k = 0; k < f->arguments; k++)
        if (!values[k]) {
            PyErr_Format(PyExc_TypeError, "%s() lacks the argument %s", f->name,
                         f->argument[k].name);
            return 0;
        }
    return 1;
}

static PyObject *raise_error(const Function *f, i64 code) {
    const char *text = f->error((int)code);
    PyObject *kind = code < 100 ? PyExc_ValueError : PyExc_IndexError;
    for (const char *t = text; *t; t++)
        if ((t[0] == 'L' && t[1] == 'i' && t[2] == 'n' && t[3] == 'A') ||
            (t[0] == 'N' && t[1] == 'a' && t[2] == 'N'))
            kind = PyExc_ArithmeticError;
    return PyErr_Format(kind, "%s: %s", f->name, text);
}

/* What is written shares no memory with what else is read or written. */
static int apart(const Function *f, const View *views) {
    for (i64 k = 0; k < f->arguments; k++) {
        if (!(f->argument[k].flags & INOUT)) continue;
        const char *low = views[k].buf, *high = low + views[k].len;
        for (i64 i = 0; i < f->arguments; i++) {
            const char *other = views[i].buf;
            if (i == k || !views[i].obj || other >= high || low >= other + views[i].len) continue;
            PyErr_Format(PyExc_ValueError, "%s: %s is written, and shares memory with %s", f->name,
                         f->argument[k].name, f->argument[i].name);
            return 0;
        }
    }
    return 1;
}

/* ---------------------------------------- a call */
static PyObject *answer(const Function *f, PyObject **values, PyObject **made) {
    PyObject *all = f->outputs == 1 ? NULL : PyTuple_New(f->outputs);
    if (f->outputs != 1 && !all) return NULL;
    for (i64 k = 0; k < f->outputs; k++) {
        i64 alias = f->output[k].alias;
        PyObject *one = alias >= 0 ? values[alias] : PyMemoryView_FromObject(made[k]);
        if (alias >= 0) Py_IncRef(one);
        if (!all) return one;
        if (!one) {
            Py_DecRef(all);
            return NULL;
        }
        PyTuple_SetItem(all, k, one);
    }
    return all;
}

PyObject *gc_extension_call(PyObject *const *args, long given, PyObject *names,
                            const Function *f) {
    i64 n = f->arguments, m = f->outputs, count = n + m;
    i64 bytes = n * (long)sizeof(View) + 8 * (count + n + m + f->symbols + f->dims) + 16 * n + 64;
    char *frame = PyMem_Malloc(bytes);
    if (!frame) return PyErr_NoMemory();
    char *slots = frame + (-(i64)frame & 15);
    View *views = (View *)(slots + 16 * n);
    void **buffers = (void **)(views + n);
    PyObject **values = (PyObject **)(buffers + count), **made = values + n, *found = NULL;
    i64 *extents = (i64 *)(made + m), *dims = extents + f->symbols, need, taken = 0, code;
    void *workspace = NULL;
    for (i64 k = 0; k < n; k++) views[k].obj = NULL;
    for (i64 k = 0; k < m; k++) made[k] = NULL;
    for (i64 k = 0; k < f->symbols; k++) extents[k] = -1;
    if (!bind(f, args, given, names, values)) goto end;
    for (i64 k = 0; k < n; k++)
        if (!take(f, &f->argument[k], values[k], &views[k], extents, &buffers[k], slots + 16 * k))
            goto end;
    if (!apart(f, views)) goto end;
    need = f->need(extents);
    if (need < 0) {
        raise_error(f, -need);
        goto end;
    }
    f->shapes(extents, dims);
    for (i64 k = 0; k < m; k++) {
        const Array *o = &f->output[k];
        if (o->alias >= 0) {
            buffers[n + k] = buffers[o->alias];
        } else {
            Result *one = result_new(o, dims + taken);
            if (!one) goto end;
            made[k] = (PyObject *)one;
            buffers[n + k] = one->block + 16 * one->rank;
        }
        taken += o->rank;
    }
    if (need && !(workspace = PyMem_Malloc(need))) {
        PyErr_NoMemory();
        goto end;
    }
    void *thread = PyEval_SaveThread();
    code = f->run(extents, buffers, workspace, need);
    PyEval_RestoreThread(thread);
    found = code ? raise_error(f, code) : answer(f, values, made);
end:
    for (i64 k = 0; k < n; k++)
        if (views[k].obj) PyBuffer_Release(&views[k]);
    for (i64 k = 0; k < m; k++)
        if (made[k]) Py_DecRef(made[k]);
    PyMem_Free(workspace);
    PyMem_Free(frame);
    return found;
}

typedef struct {
    int slot;
    void *function;
} Slot;

PyObject *gc_extension_init(void *definition, const char *type_name) {
    static Slot slots[] = {{1, result_buffer}, {52, result_free}, {0, NULL}};
    static struct {
        const char *name;
        int basic_bytes, item_bytes;
        unsigned flags;
        Slot *slots;
    } spec = {NULL, sizeof(Result), 0, 1u << 7 /* no instances from Python */, slots};
    spec.name = type_name;
    if (!result_type && !(result_type = PyType_FromSpec(&spec))) return NULL;
    return PyModule_Create2(definition, 3 /* the stable ABI */);
}
