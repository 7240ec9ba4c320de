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


@cython.final
cdef class Binding:
    """A name outside the function, and the value that it must be bound to.

    Args:
        container: a closure cell, or a dict of globals or attributes
        name: the key in the dict, None for a cell
        value: the value during the recording
    """

    cdef readonly object container, name, value

    def __init__(self, container, name, value):
        self.container, self.name, self.value = container, name, value

    cpdef bint holds(self):
        """Whether the name is bound to the same object."""
        if self.name is not None:
            return (<dict>self.container).get(self.name) is self.value
        try:
            return self.container.cell_contents is self.value
        except ValueError:  # the name was deleted
            return False


@cython.final
cdef class Guards:
    """All conditions that must hold for a program to be replayed, except those on its arguments.

    Args:
        grad_mode: whether gradients were enabled
        leaves: a LeafGuard for each tensor that existed before
        gradients: a GradientSlot for each gradient that the step reads, writes or deletes
        bindings: names of the function that are bound to tensors, modules, optimizers and functions
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
