# Part of cygrad._kernels: the tape, to which every launch of the recorded thread is appended.

cdef class Tape:
    """The launches of the thread that creates it, while the tape is in use and not paused.

    Attributes:
        events: the launches, and whatever else the recorder appends
        arrays: the arrays that wrappers allocated, for results and as working memory
        created: the arrays that pooled() created
        observer: called with every launch after it has run, None for no call
    """

    def __init__(self):
        self.events = []
        self.arrays = []
        self.created = []
        self.thread = PyThread_get_thread_ident()
        self.paused = 0

    cdef bint is_active(self):
        """Whether this thread is being recorded, and the tape is not paused."""
        return not self.paused and self.thread == PyThread_get_thread_ident()

    @property
    def active(self):
        """Whether this thread is being recorded, and the tape is not paused."""
        return self.is_active()

    def call_unrecorded(self, function, args, dict options):
        """Return function(*args, **options), whose launches are not recorded."""
        self.paused += 1
        try:
            return function(*args, **options)
        finally:
            self.paused -= 1

    cdef int watch(self, const int64_t *fault, message) except -1:
        """Watch a fault of the last launch."""
        if self.is_active():
            (<Launch>self.events[len(self.events) - 1]).watch(<size_t>fault, message)


cdef Tape tape = None


def use_tape(Tape new):
    """Record on `new`, or nothing if it is None; returns the tape that was in use before."""
    global tape
    previous = tape
    tape = new
    return previous
