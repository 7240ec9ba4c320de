# Part of cygrad._kernels: the tape that every launch of the recorded thread is written to.

from cpython.pythread cimport PyThread_get_thread_ident


cdef class Tape:
    """What happens in this thread from now on: launches, and whatever else is appended to `events`. `arrays` are those
    that the wrappers made meanwhile: results, and working memory; `created` those that pooled() did. `observer`, if it is
    not None, is called with every launch when it has run."""

    def __init__(self):
        self.events = []
        self.arrays = []
        self.created = []
        self.thread = PyThread_get_thread_ident()
        self.paused = 0

    cdef bint here(self):
        """Whether this thread is the one that is recorded, and not paused."""
        return not self.paused and self.thread == PyThread_get_thread_ident()

    @property
    def active(self):
        """Whether this thread is the one that is recorded, and not paused."""
        return self.here()

    def pause(self):
        """Records nothing until resume() is called as often."""
        self.paused += 1

    def resume(self):
        """Takes one pause() back."""
        self.paused -= 1

    cdef int watch(self, const int64_t *fault, message) except -1:
        if self.here():
            (<Launch>self.events[len(self.events) - 1]).watch(<size_t>fault, message)


cdef Tape tape = None


def use_tape(Tape new):
    """Records on `new`, or nothing where it is None; returns the tape that was in use."""
    global tape
    before = tape
    tape = new
    return before
