# Locks that know their owner, and calls that another thread can interrupt. Python raises what interrupts a thread, such as Ctrl-C,
# between two of its bytecodes; compiled code has none. So what is done here is done whole, whatever interrupts its caller.

from cpython.exc cimport PyErr_CheckSignals
from cpython.pythread cimport (
    PY_LOCK_ACQUIRED, PyThread_allocate_lock, PyThread_free_lock, PyThread_get_thread_ident, PyThread_release_lock,
)

from functools import partial
from types import MethodType
from weakref import WeakMethod, ref

cdef extern from "Python.h":
    int PyThreadState_SetAsyncExc(unsigned long thread, void *error)
    void *PyExc_KeyboardInterrupt
    int PyThread_acquire_lock_timed(PyThread_type_lock lock, long long microseconds, int interruptible) nogil

# Bytecode: an interrupt that another thread has sent to this one is raised in it. CPython has no other way to take one back, and
# one that stays pending makes every thread look for it again and again.
cdef object raise_pending = eval("lambda: None", {})

cdef long long TURN = 20000  # microseconds after which a thread that waits looks for interrupts

cdef dict owned_locks = {}  # id → weak reference, of every lock
cdef dict running = {}  # thread → the task that it runs
cdef list resets = []  # functions that return what a forked child calls, or None


cdef set threads_waiting_for(unsigned long thread):
    """A thread, the one that waits for its task, the one that waits for that one's, …"""
    found = {thread}
    while thread in running:
        thread = (<Task>running[thread]).caller
        found.add(thread)
    return found


cdef class OwnedLock:
    """A lock that knows the thread that has it.

    Threads can't wait for each other: a thread waits for a lock only if those that it has, and those of the threads that wait for
    it, are of lower ranks. A forked child has the locks of the thread that it continues, all others are free.

    Args:
        rank: the rank
    """

    def __cinit__(self, int rank):
        self.rank = rank
        self.lock = PyThread_allocate_lock()
        if not self.lock:
            raise MemoryError("out of memory for a lock")
        owned_locks[<size_t><void *>self] = ref(self, partial(owned_locks.pop, <size_t><void *>self))

    def __dealloc__(self):
        PyThread_free_lock(self.lock)

    def is_mine(self):
        """Whether the calling thread has the lock."""
        return self.owner == PyThread_get_thread_ident()

    def call(self, bint wait, function, otherwise):
        """Return function(), called with the lock, or otherwise() without it where another thread has it and this one must not
        wait, or does not want to."""
        if not self.acquire(wait):
            return otherwise()
        try:
            return function()
        finally:
            self.release()

    cdef bint acquire(self, bint wait) except -1:
        """Take the lock; returns whether it could."""
        if PyThread_acquire_lock_timed(self.lock, 0, 0) != PY_LOCK_ACQUIRED:
            if not wait or not self.may_wait():
                return False
            self.wait()
        self.owner = PyThread_get_thread_ident()
        return True

    cdef int wait(self) except -1:
        cdef int status
        while True:
            with nogil:
                status = PyThread_acquire_lock_timed(self.lock, TURN, 1)
            if status == PY_LOCK_ACQUIRED:
                return 0
            PyErr_CheckSignals()
            raise_pending()

    cdef bint may_wait(self) except -1:
        cdef OwnedLock lock
        threads = threads_waiting_for(PyThread_get_thread_ident())
        for reference in list(owned_locks.values()):
            lock = reference()
            if lock is not None and lock.rank >= self.rank and lock.owner in threads:
                return False
        return True

    cdef void release(self) noexcept:
        """Give the lock back; its owner calls this."""
        self.owner = 0
        PyThread_release_lock(self.lock)


class Interruption(KeyboardInterrupt):
    """What interrupts a task.

    Python drops an exception that is raised in a destructor or a callback of a weak reference. So a task knows its latest one:
    as long as that lives it is being handled, in a ``finally`` of the function for instance; once it has gone and the function
    still runs, it was lost.
    """

    def __init__(self):
        cdef Task task = running.get(PyThread_get_thread_ident())
        if task is not None:
            task.interruption = ref(self)


cdef class Task:
    """A function call that other threads can interrupt.

    Args:
        caller: the thread that waits for it
    """

    def __cinit__(self, unsigned long caller):
        self.caller = caller

    def run(self, function, args):
        """Return function(*args). interrupt() can raise KeyboardInterrupt in the function, and nowhere else."""
        cdef unsigned long me = PyThread_get_thread_ident()
        if self.interrupted:
            raise KeyboardInterrupt
        running[me] = self
        self.thread = me
        try:
            return function(*args)
        finally:
            self.end()
            running.pop(me, None)  # a child that the function forked has none
            if self.interrupted:
                try:
                    raise_pending()
                except KeyboardInterrupt:
                    pass  # it came too late for the function

    @cython.critical_section
    cdef int end(self) except -1:
        self.thread = 0
        self.ended = True
        return 0

    @cython.critical_section
    cdef int interrupt(self) except -1:
        if self.ended:
            return 0
        self.interrupted = True
        if self.thread and (self.interruption is None or self.interruption() is None):
            PyThreadState_SetAsyncExc(self.thread, <void *>Interruption)
        return 0


def interrupt_all(list tasks):
    """Raise KeyboardInterrupt in the tasks that run, at their next line of Python; those that have not begun will not.

    Called again, it does so in those that still run and no longer handle the earlier one.
    """
    for task in tasks:
        (<Task?>task).interrupt()


def in_child(function):
    """Call function() in every forked child, where only the thread that forked exists. A method does not keep its object alive."""
    resets.append(WeakMethod(function, resets.remove) if isinstance(function, MethodType) else lambda: function)


def forget_other_threads():
    """Called in a forked child."""
    cdef OwnedLock lock
    running.clear()
    for reference in list(owned_locks.values()):
        lock = reference()
        if lock is not None and lock.owner != PyThread_get_thread_ident():
            lock.lock = PyThread_allocate_lock()  # the old one may be in use for ever
            lock.owner = 0
    for reference in list(resets):
        reset = reference()
        if reset is not None:
            reset()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_other_threads)
