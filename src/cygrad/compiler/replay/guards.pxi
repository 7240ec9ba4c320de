# Part of replay.pyx: what must be as it was when a program was recorded.

@cython.final
cdef class LeafGuard:
    """A tensor that existed before the step: it must have the same array, and still require a gradient or not."""

    cdef readonly Value leaf
    cdef object array
    cdef bint requires_grad

    def __cinit__(self, Value leaf not None):
        self.leaf = leaf
        self.array = leaf._array
        self.requires_grad = leaf.requires_grad

    cdef bint holds(self):
        return self.leaf._array is self.array and self.leaf.requires_grad == self.requires_grad


from types import CellType

cdef extern from "Python.h":
    PyObject *PyCell_GET(object cell)  # borrowed
    PyObject *PyDict_GetItemWithError(object dictionary, object key) except? NULL  # borrowed

cdef enum:
    CELL, ITEM, INDEX, ATTRIBUTE, CLASS, CONTEXT, ELEMENTS, LENGTH, NOWHERE


@cython.final
cdef class Binding:
    """A place outside of the step, and the value that it must have.

    Args:
        place: one of places.Place
        container: what has the place: a closure cell, a dict, a list, an object, a class or another container
        key: a key of the dict, an index or the name of an attribute; None for others
        value: the value during the recording, MISSING for none; the elements are looked up
    """

    cdef readonly int place
    cdef readonly object container, key, value

    def __cinit__(self, int place, container, key, value):
        if place == CELL and not isinstance(container, CellType):
            raise TypeError(f"expected a cell, got {type(container).__name__}")
        self.place, self.container, self.key = place, container, key
        self.value = elements_of(container) if place == ELEMENTS else value

    cpdef bint holds(self) except -1:
        """Whether the place has the same object, or an equal number or string."""
        cdef PyObject *now
        if self.place == CELL:
            now = PyCell_GET(self.container)
        elif self.place == ITEM:
            now = PyDict_GetItemWithError(self.container, self.key)
        elif self.place == ELEMENTS:
            elements = self.container if type(self.container) is list else elements_of(self.container)
            return all_same(self.value, elements)
        else:
            return is_same(self.value, current(self.place, self.container, self.key))
        if now is <PyObject *>self.value:
            return True
        return is_same(self.value, MISSING if now is NULL else <object>now)


cdef bint all_same(list recorded, list values) except -1:
    cdef Py_ssize_t i, count = len(recorded)
    if len(values) != count:
        return False
    for i in range(count):
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
    cdef readonly tuple leaves, gradients, bindings, updates
    cdef object modules_unchanged
    cdef int64_t changes  # the engine's count of changes at which modules were compared last

    def __cinit__(self, bint grad_mode, leaves, gradients, bindings, modules_unchanged, updates):
        self.grad_mode = grad_mode
        self.leaves, self.gradients = all_of(LeafGuard, leaves), all_of(GradientSlot, gradients)
        self.bindings, self.updates = all_of(Binding, bindings), all_of(OptimizerUpdate, updates)
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
