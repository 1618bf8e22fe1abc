# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, embedsignature=True
"""The binding of the C kernels: arguments in, blocks run, named tuples out. See options/__init__.py."""

import numpy as np

from cpython.buffer cimport (PyBUF_STRIDED, PyBUF_STRIDED_RO, PyBuffer_FillInfo, PyBuffer_Release,
                             PyObject_GetBuffer)
from cpython.float cimport PyFloat_AS_DOUBLE, PyFloat_Check
from cpython.long cimport PyLong_AsDouble, PyLong_Check
from libc.math cimport INFINITY, NAN, isnan, log1p

from options._arrays import as_floats, as_signs
from options.errors import (InputTypeError, InvalidInputError, KernelUnavailableError, KindError, NoLimitError,
                            PriceOutsideBoundsError, ShapeError)
from options._arrays import paired_scenarios, reject_implied
from options.results import CallPut, CallPutGreeks, Greeks

cdef const sl_kernels *K = NULL
cdef object _new = tuple.__new__


def kernel_names():
    """Kernels this processor runs, best first."""
    return tuple(n for n in ("avx512", "avx2", "baseline") if sl_choose_kernels(n.encode()) != NULL)


def use_kernel(str name not None):
    """Switches to the named build ("auto" for the best) and returns its name."""
    global K
    cdef const sl_kernels *chosen = sl_choose_kernels(name.encode())
    if chosen == NULL:
        raise KernelUnavailableError(name, (*kernel_names(), "python"))
    K = chosen
    return K.name.decode()


def kernel_name():
    """Name of the build in use: avx512, avx2 or baseline."""
    return K.name.decode()


use_kernel("auto")


# --- scalars ---

cdef inline bint as_double(object x, double *to) except -1:
    """Takes Python floats (numpy's too) and ints; anything else goes the way of arrays."""
    if PyFloat_Check(x):
        to[0] = PyFloat_AS_DOUBLE(x)
        return True
    if PyLong_Check(x):
        try:
            to[0] = PyLong_AsDouble(x)
        except OverflowError:
            to[0] = INFINITY
        return True
    return False


# What a kind is: a sign, both at once, or an array.
DEF BOTH = 2
DEF ARRAY = 3

cdef int kind_code(object kind) except -9:
    cdef double sign
    if isinstance(kind, str):
        if kind == "call":
            return 1
        if kind == "put":
            return -1
        if kind == "both":
            return BOTH
        raise KindError(kind)
    if as_double(kind, &sign):
        if sign == 1.0:
            return 1
        if sign == -1.0:
            return -1
        raise KindError(kind)
    return ARRAY


cdef inline void run_one(sl_block block, const double *values, int inputs, int outputs, double *result, int count) noexcept nogil:
    """One option through a block function: its lanes all hold the same option."""
    cdef double lanes[9][8]
    cdef double results[12][8]
    cdef const double *pin[9]
    cdef double *pout[12]
    cdef int i, j
    for i in range(inputs):
        for j in range(8):
            lanes[i][j] = values[i]
        pin[i] = &lanes[i][0]
    for i in range(outputs):
        pout[i] = &results[i][0]
    block(count, <const double *const *>pin, <double *const *>pout)
    for i in range(outputs):
        result[i] = results[i][0]


cdef int reject(tuple names, const double *values, double *result, int outputs, tuple fields) except -1:
    """Says which scalar argument has no price, or which result no finite value."""
    cdef int i
    for i in range(len(names)):
        if isnan(values[i]) or values[i] in (INFINITY, -INFINITY):
            raise InvalidInputError(names[i], values[i], "finite")
        if i < 4 and values[i] < 0.0:
            raise InvalidInputError(names[i], values[i], "zero or more")
    for i in range(outputs):
        if isnan(result[i]):
            raise NoLimitError(fields[i])
    return 0


# --- arrays ---

cdef class Views:
    """Buffers held for the length of one call."""
    cdef Py_buffer view[21]
    cdef int count

    def __cinit__(self):
        self.count = 0

    cdef Py_buffer *hold(self, object array, int flags) except NULL:
        PyObject_GetBuffer(array, &self.view[self.count], flags)
        self.count += 1
        return &self.view[self.count - 1]

    def __dealloc__(self):
        cdef int i
        for i in range(self.count):
            PyBuffer_Release(&self.view[i])


cdef class Block:
    """Owner of a large result's memory; gives it back for reuse when the last array on it is gone."""
    cdef void *data
    cdef size_t bytes
    cdef Py_ssize_t length

    def __cinit__(self, size_t elements):
        self.bytes = elements * sizeof(double)
        self.length = self.bytes
        self.data = sl_block_take(self.bytes)
        if self.data == NULL:
            raise MemoryError

    def __getbuffer__(self, Py_buffer *view, int flags):
        PyBuffer_FillInfo(view, self, self.data, self.length, 0, flags)

    def __dealloc__(self):
        if self.data != NULL:
            sl_block_give(self.data, self.bytes)


cdef object new_array(tuple shape, size_t count):
    if count * sizeof(double) < SL_BLOCK_LEAST:
        return np.empty(shape)
    return np.frombuffer(Block(count), np.float64).reshape(shape)


cdef int broadcast(sl_job *job, Py_buffer **views, int inputs) except -1:
    cdef int i, d, offset, dims = 0
    cdef size_t length
    for i in range(inputs):
        dims = max(dims, views[i].ndim)
    if dims > SL_MAX_DIMS:
        raise ShapeError("too many dimensions", ((dims,),))
    job.dims = dims
    job.count = 1
    for d in range(dims):
        job.shape[d] = 1
        for i in range(inputs):
            offset = dims - views[i].ndim
            if d < offset:
                continue
            length = views[i].shape[d - offset]
            if length != 1 and job.shape[d] != 1 and length != job.shape[d]:
                return 0
            if length != 1:
                job.shape[d] = length
        job.count *= job.shape[d]
    for i in range(inputs):
        offset = dims - views[i].ndim
        job.input[i].data = <const char *>views[i].buf
        for d in range(dims):
            job.input[i].strides[d] = 0
            if d >= offset and views[i].shape[d - offset] != 1:
                job.input[i].strides[d] = views[i].strides[d - offset]
    return 1


cdef int place(sl_job *job, object array, int k, Views views, tuple shape) except -1:
    """Takes an output array, the caller's own or a new one."""
    cdef Py_buffer *view
    if type(array) is not np.ndarray or array.dtype != np.float64 or not array.flags.c_contiguous:
        raise InputTypeError("out", "anything but C-contiguous float64 arrays")
    if array.shape != shape:
        raise ShapeError("out does not fit the arguments", (array.shape, shape))
    if not array.flags.writeable:
        raise InputTypeError("out", "a read-only array")
    view = views.hold(array, PyBUF_STRIDED)
    job.out[k] = <double *>view.buf
    return 0


cdef list run_elementwise(sl_block block, tuple names, tuple values, int outputs, object out, int threads,
                          size_t chunk=0):
    cdef sl_job job
    cdef Py_buffer *held[9]
    cdef Views views = Views()
    cdef int i, inputs = len(values)
    cdef list arrays = [], results
    for i in range(inputs):
        arrays.append(as_signs(values[i]) if names[i] == "kind" else as_floats(names[i], values[i]))
    if out is not None:
        out = (out,) if outputs == 1 and not isinstance(out, (tuple, list)) else tuple(out)
        if len(out) != outputs:
            raise ShapeError("out needs one array for each result", ((len(out),), (outputs,)))
        arrays = [a.copy() if any(np.may_share_memory(a, o) for o in out) else a for a in arrays]
    for i in range(inputs):
        held[i] = views.hold(arrays[i], PyBUF_STRIDED_RO)
    job.block = block
    job.chunk = chunk
    job.exact = chunk != 0
    job.inputs = inputs
    job.outputs = outputs
    if not broadcast(&job, held, inputs):
        raise ShapeError("arguments do not broadcast", tuple(a.shape for a in arrays))
    shape = tuple([job.shape[i] for i in range(job.dims)])
    results = [new_array(shape, job.count) for i in range(outputs)] if out is None else list(out)
    for i in range(outputs):
        place(&job, results[i], i, views, shape)
    with nogil:
        sl_prepare(&job)
        sl_run(&job, threads)
    return results


# --- European options ---

SPOT_NAMES = ("spot", "strike", "years", "vol", "rate", "dividend")
FORWARD_NAMES = ("forward", "strike", "years", "vol", "rate")
cdef tuple _spot_names = SPOT_NAMES
cdef tuple _spot_kind_names = (*SPOT_NAMES, "kind")
cdef tuple _forward_kind_names = (*FORWARD_NAMES, "dividend", "kind")
cdef tuple _forward_names = FORWARD_NAMES
cdef tuple _price_field = ("the price",)
cdef tuple _both_fields = CallPut._fields
cdef tuple _greek_fields = Greeks._fields
cdef tuple _both_greek_fields = CallPutGreeks._fields


cdef object european(int model, bint greeks, object kind, object s, object k, object t, object vol, object r,
                     object q, object out, int threads):
    cdef double value[7]
    cdef double result[12]
    cdef int code = kind_code(kind), inputs, outputs, i
    cdef bint bad = False
    cdef sl_block block
    cdef tuple names
    if code == BOTH:
        block = K.call_put_greeks[model] if greeks else K.call_put[model]
        outputs = 10 if greeks else 2
        inputs = 6
    else:
        block = K.greeks[model] if greeks else K.price[model]
        outputs = 9 if greeks else 1
        inputs = 7
    if (code != ARRAY and out is None and as_double(s, &value[0]) and as_double(k, &value[1])
            and as_double(t, &value[2]) and as_double(vol, &value[3]) and as_double(r, &value[4])
            and as_double(q, &value[5])):
        value[6] = code
        run_one(block, value, inputs, outputs, result, K.width)
        for i in range(outputs):
            bad |= isnan(result[i])
        if bad:
            names = _forward_names if model == SL_FORWARD else _spot_names
            reject(names, value, result, outputs, _fields(greeks, code == BOTH))
        if not greeks:
            return CallPut(result[0], result[1]) if code == BOTH else result[0]
        if code == BOTH:
            return _new(CallPutGreeks, [result[i] for i in range(10)])
        return _new(Greeks, (result[0], result[1], result[2], result[3], result[4], result[5], result[6],
                             result[7], result[8]))
    names = _forward_kind_names if model == SL_FORWARD else _spot_kind_names
    if code == BOTH:
        results = run_elementwise(block, names[:6], (s, k, t, vol, r, q), outputs, out, threads)
        return CallPutGreeks(*results) if greeks else CallPut(*results)
    results = run_elementwise(block, names, (s, k, t, vol, r, q, kind if code == ARRAY else float(code)),
                              outputs, out, threads)
    return Greeks(*results) if greeks else results[0]


cdef tuple _fields(bint greeks, bint both):
    if greeks:
        return _both_greek_fields if both else _greek_fields
    return _both_fields if both else _price_field


def black_scholes(kind, spot, strike, years, vol, rate=0.0, dividend=0.0, *, out=None, int threads=1):
    return european(SL_SPOT, False, kind, spot, strike, years, vol, rate, dividend, out, threads)


def greeks(kind, spot, strike, years, vol, rate=0.0, dividend=0.0, *, out=None, int threads=1):
    return european(SL_SPOT, True, kind, spot, strike, years, vol, rate, dividend, out, threads)


def black76(kind, forward, strike, years, vol, rate=0.0, *, out=None, int threads=1):
    return european(SL_FORWARD, False, kind, forward, strike, years, vol, rate, 0.0, out, threads)


def black76_greeks(kind, forward, strike, years, vol, rate=0.0, *, out=None, int threads=1):
    return european(SL_FORWARD, True, kind, forward, strike, years, vol, rate, 0.0, out, threads)


def inverse(kind, spot, strike, years, vol, rate=0.0, dividend=0.0, *, out=None, int threads=1):
    return european(SL_INVERSE, False, kind, spot, strike, years, vol, rate, dividend, out, threads)


def inverse_greeks(kind, spot, strike, years, vol, rate=0.0, dividend=0.0, *, out=None, int threads=1):
    return european(SL_INVERSE, True, kind, spot, strike, years, vol, rate, dividend, out, threads)


# --- implied volatility ---

IMPLIED_NAMES = ("price", "forward", "strike", "years", "rate")
cdef tuple _implied_names = (*IMPLIED_NAMES, "kind")


def implied_vol(kind, price, forward, strike, years, rate=0.0, *, out=None, int threads=1):
    cdef double value[6]
    cdef double result
    cdef int code = kind_code(kind)
    if code == BOTH:
        raise KindError(kind)
    if (code != ARRAY and out is None and as_double(price, &value[0]) and as_double(forward, &value[1])
            and as_double(strike, &value[2]) and as_double(years, &value[3]) and as_double(rate, &value[4])):
        value[5] = code
        run_one(K.implied_vol, value, 6, 1, &result, K.width)
        if isnan(result):
            reject_implied(code, value[0], value[1], value[2], value[3], value[4])
        return result
    signs = kind if code == ARRAY else float(code)
    return run_elementwise(K.implied_vol, _implied_names, (price, forward, strike, years, rate, signs), 1, out,
                           threads)[0]


# --- American options ---

cdef sl_precision precision_code(object precision) except *:
    cdef sl_precision code
    if precision == "fast":
        code = SL_FAST
    elif precision == "high":
        code = SL_HIGH
    else:
        raise KindError(precision, '"fast" or "high"', "precision")
    if not sl_build_schemes():
        raise MemoryError
    return code


cdef object american_any(bint greeks, object kind, object s, object k, object t, object vol, object r, object q,
                         object precision, object out, int threads):
    cdef double value[7]
    cdef double result[12]
    cdef int code = kind_code(kind), level = precision_code(precision), i
    cdef int outputs = 9 if greeks else 1
    cdef bint bad = False
    cdef sl_block block = K.american_greeks[level] if greeks else K.american[level]
    if code == BOTH:
        raise KindError(kind)
    if (code != ARRAY and out is None and as_double(s, &value[0]) and as_double(k, &value[1])
            and as_double(t, &value[2]) and as_double(vol, &value[3]) and as_double(r, &value[4])
            and as_double(q, &value[5])):
        value[6] = code
        with nogil:
            run_one(block, value, 7, outputs, result, 1)
        for i in range(outputs):
            bad |= isnan(result[i])
        if bad:
            reject(_spot_names, value, result, outputs, _fields(greeks, False))
        return _new(Greeks, [result[i] for i in range(9)]) if greeks else result[0]
    signs = kind if code == ARRAY else float(code)
    results = run_elementwise(block, _spot_kind_names, (s, k, t, vol, r, q, signs), outputs, out, threads, 64)
    return Greeks(*results) if greeks else results[0]


def american(kind, spot, strike, years, vol, rate=0.0, dividend=0.0, *, precision="fast", out=None, int threads=1):
    return american_any(False, kind, spot, strike, years, vol, rate, dividend, precision, out, threads)


def american_greeks(kind, spot, strike, years, vol, rate=0.0, dividend=0.0, *, precision="fast", out=None,
                    int threads=1):
    return american_any(True, kind, spot, strike, years, vol, rate, dividend, precision, out, threads)


# --- scenarios ---

cdef void grid_work(void *context, size_t block) noexcept nogil:
    K.scenarios(<const sl_grid *>context, block)


def scenario_grid(kind, spot, strike, years, vol, rate=0.0, dividend=0.0, *, spot_moves=0.0, vol_moves=0.0, out=None,
                  int threads=1):
    cdef sl_grid grid
    cdef Views views = Views()
    cdef Py_buffer *view
    cdef int i, code = kind_code(kind)
    cdef size_t count = 1, length
    cdef tuple names = _spot_kind_names
    if code == BOTH:
        raise KindError(kind)
    cdef list arrays = [as_floats(names[i], x) for i, x in enumerate((spot, strike, years, vol, rate, dividend))]
    arrays.append(as_signs(kind if code == ARRAY else float(code)))
    for i in range(7):
        if not arrays[i].flags.c_contiguous:
            arrays[i] = np.ascontiguousarray(arrays[i])
        view = views.hold(arrays[i], PyBUF_STRIDED_RO)
        length = 1 if view.ndim == 0 else view.shape[0]
        if view.ndim > 1 or (length != 1 and count != 1 and length != count):
            raise ShapeError("options must be one row", tuple(a.shape for a in arrays))
        if length != 1:
            count = length
        grid.input[i] = <const double *>view.buf
        grid.step[i] = length != 1
    moves, shifts = paired_scenarios(spot_moves, vol_moves)
    cdef size_t j, scenarios = len(moves)
    factors, logs = np.empty(scenarios), np.empty(scenarios)
    cdef const double *move = <const double *>views.hold(moves, PyBUF_STRIDED_RO).buf
    cdef double *factor = <double *>views.hold(factors, PyBUF_STRIDED).buf
    cdef double *logarithm = <double *>views.hold(logs, PyBUF_STRIDED).buf
    for j in range(scenarios):
        factor[j] = 1.0 + move[j] if move[j] >= -1.0 else NAN  # a spot below nothing has no price
        logarithm[j] = log1p(move[j])
    grid.options = count
    grid.scenarios = scenarios
    grid.factor = factor
    grid.log_factor = logarithm
    grid.shift = <const double *>views.hold(shifts, PyBUF_STRIDED_RO).buf
    shape = (grid.scenarios, count)
    result = new_array(shape, grid.scenarios * count) if out is None else out
    cdef sl_job holder
    place(&holder, result, 0, views, shape)
    grid.out = holder.out[0]
    with nogil:
        sl_parallel(grid_work, &grid, (count + SL_GRID_BLOCK - 1) // SL_GRID_BLOCK, threads)
    return result
