# Part of replay.pyx: what must be as it was when a program was recorded.

@cython.final
cdef class LeafGuard:
    """A tensor that existed before the step: it must have the same array, and still require a gradient or not."""

    cdef readonly Value leaf
    cdef object array
    cdef bint requires_grad

    def __init__(self, Value leaf):
        self.leaf = leaf
        self.array = leaf.array
        self.requires_grad = leaf.requires_grad

    cdef bint holds(self):
        return self.leaf.array is self.array and self.leaf.requires_grad == self.requires_grad


cdef extern from "Python.h":
    PyObject *PyCell_GET(object cell)  # borrowed
    PyObject *PyDict_GetItemWithError(object dictionary, object key) except? NULL  # borrowed

cdef enum:
    CELL, ITEM, INDEX, ATTRIBUTE, CLASS, CONTEXT, ELEMENTS, LENGTH, NOWHERE


class Place:
    """Where a name is bound: in a closure cell; under a key of a dict, such as the globals or the attributes of an object;
    at an index of a list; in an attribute that C code holds; in a class; in a context variable. `ELEMENTS` are those of a
    container, `LENGTH` is their number, and `NOWHERE` is a place that is watched by other means."""

    CELL, ITEM, INDEX, ATTRIBUTE, CLASS, CONTEXT, ELEMENTS, LENGTH, NOWHERE = range(9)


MISSING = type("Missing", (), {"__repr__": lambda self: "missing"})()


@cython.final
cdef class Binding:
    """A place outside of the step, and the value that it must have.

    Args:
        place: one of Place
        container: what has the place: a closure cell, a dict, a list, an object, a class or another container
        key: a key of the dict, an index or the name of an attribute; None for others
        value: the value during the recording, MISSING for none; the elements are looked up
    """

    cdef readonly int place
    cdef readonly object container, key, value

    def __init__(self, int place, container, key, value):
        self.place, self.container, self.key = place, container, key
        self.value = elements_of(container) if place == ELEMENTS else value

    @property
    def is_plain(self):
        """Whether the value is compared as a number is, not by its identity."""
        return self.place >= ELEMENTS or is_plain(self.value)

    cpdef bint holds(self) except -1:
        """Whether the place has the same object, or an equal number or string."""
        cdef PyObject *now
        if self.place == CELL:
            now = PyCell_GET(self.container)
        elif self.place == ITEM:
            now = PyDict_GetItemWithError(self.container, self.key)
        elif self.place == ELEMENTS and type(self.container) is list:
            return all_same(self.value, self.container)
        else:
            return self.has_same(self.current())
        if now is <PyObject *>self.value:
            return True
        return self.has_same(MISSING if now is NULL else <object>now)

    cdef bint has_same(self, now) except -1:
        if self.place == ELEMENTS:
            return now is not MISSING and all_same(self.value, now)
        return is_same(self.value, now)

    def current(self):
        """What the place has now, MISSING for nothing."""
        cdef PyObject *now
        if self.place == CELL:
            now = PyCell_GET(self.container)
            return MISSING if now is NULL else <object>now
        if self.place == ITEM:
            return self.container.get(self.key, MISSING)
        if self.place == INDEX:
            inside = -len(self.container) <= self.key < len(self.container)
            return self.container[self.key] if inside else MISSING
        if self.place == ATTRIBUTE:
            return getattr(self.container, self.key, MISSING)
        if self.place == CLASS:
            for base in self.container.__mro__:
                if self.key in vars(base):
                    return vars(base)[self.key]
            return MISSING
        if self.place == CONTEXT:
            return self.container.get(MISSING)
        return elements_of(self.container) if self.place == ELEMENTS else len(self.container)

    def renewed(self):
        """The binding to the present value."""
        return Binding(self.place, self.container, self.key, self.current())


cdef list elements_of(container):
    """The elements of a container, with the keys of a dict before them, or the bytes of an array."""
    if isinstance(container, dict):
        return [*container, *container.values()]
    if isinstance(container, cnp.ndarray):
        return [container.shape, container.dtype, container.tobytes()]
    return [bytes(container)] if hasattr(container, "itemsize") else list(container)


cdef bint all_same(list recorded, list values) except -1:
    cdef Py_ssize_t i
    if len(recorded) != len(values):
        return False
    for i in range(len(values)):
        if not is_same(recorded[i], values[i]):
            return False
    return True


@cython.final
cdef class Guards:
    """All conditions that must hold for a program to be replayed, except those on its arguments.

    Args:
        grad_mode: whether gradients were enabled
        leaves: a LeafGuard for each tensor that existed before
        gradients: a GradientSlot for each gradient that the step reads, writes or deletes
        bindings: the numbers and objects that the step's names led to
        modules_unchanged: says whether modules and hooks are as they were; called where anything of them changed
        updates: the launches of optimizers
    """

    cdef readonly bint grad_mode
    cdef readonly list leaves, gradients, bindings, updates
    cdef object modules_unchanged
    cdef int64_t changes  # the engine's count of changes at which modules were compared last

    def __init__(self, bint grad_mode, list leaves, list gradients, list bindings, modules_unchanged, list updates):
        self.grad_mode = grad_mode
        self.leaves, self.gradients, self.bindings, self.updates = leaves, gradients, bindings, updates
        self.modules_unchanged = modules_unchanged
        self.changes = recording._changes

    cdef bint hold(self):
        for leaf in self.leaves:
            if not (<LeafGuard>leaf).holds():
                return False
        for gradient in self.gradients:
            if not (<GradientSlot>gradient).holds():
                return False
        for binding in self.bindings:
            if not (<Binding>binding).holds():
                return False
        if self.changes != recording._changes:
            if not self.modules_unchanged():
                return False
            self.changes = recording._changes
        for update in self.updates:
            if not (<OptimizerUpdate>update).holds():
                return False
        return True
