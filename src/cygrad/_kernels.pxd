# What other compiled modules of cygrad use of the module of kernels, without calls through Python.

from libc.stdint cimport int64_t, uint64_t

from cpython.pythread cimport PyThread_type_lock

cdef extern from "layout.h":
    ctypedef struct cg_layout

cdef extern from "program.h":
    ctypedef void (*cg_any_kernel "cg_kernel")(const void *args, ...) noexcept nogil
    ctypedef struct cg_step:
        cg_any_kernel run
        const void *args
        double cost
        int64_t barrier
        const int64_t *fault
    ctypedef struct cg_chain:
        const cg_step *steps
        int64_t count, blocks
    void cg_run_chain(const void *chain, ...) noexcept nogil
    int64_t cg_run_steps(const cg_step *steps, int64_t count) nogil
    ctypedef struct cg_advance:
        void *word
        uint64_t increment
    int64_t cg_run_loop(
        const cg_step *steps, int64_t count, int64_t times, const cg_advance *words, int64_t word_count, int64_t *ended
    ) nogil


cdef class OwnedLock:
    cdef PyThread_type_lock lock
    cdef unsigned long owner  # 0 where no thread has it
    cdef int rank
    cdef object __weakref__

    cdef bint acquire(self, bint wait) except -1
    cdef int wait(self) except -1
    cdef bint may_wait(self) except -1
    cdef void release(self) noexcept


cdef class Task:
    cdef readonly bint interrupted
    cdef unsigned long caller, thread  # 0 where it does not run
    cdef bint ended
    cdef object interruption  # weak reference to the latest

    cdef int end(self) except -1
    cdef int interrupt(self) except -1


cdef class Launch:
    cdef readonly int kernel, dtype
    cdef readonly object message
    cdef list tables
    cdef void *args
    cdef const cg_layout *layout
    cdef const int64_t *fault

    cdef int64_t index_of(self, str name) except -1
    cdef void *argument(self, str name, int traits=*) except NULL
    cdef int own_table(self, void **table_address, int64_t count) except -1


cdef class Chain:
    cdef readonly tuple launches
    cdef readonly double cost
    cdef cg_chain chain


cdef class Tape:
    cdef readonly list events, arrays, created
    cdef public object observer
    cdef unsigned long thread
    cdef int paused

    cdef bint is_active(self)
    cdef int watch(self, const int64_t *fault, message) except -1


cdef class Segment:
    cdef readonly tuple launches
    cdef cg_step *steps
    cdef readonly int64_t count
    cdef readonly double cost

    cdef int64_t run(self) except -1
    cdef int fail(self, int64_t number) except -1


cdef class Loop(Segment):
    cdef cg_advance *words
    cdef readonly int64_t word_count
    cdef int64_t ended

    cdef int64_t repeat(self, int64_t times) except -1
