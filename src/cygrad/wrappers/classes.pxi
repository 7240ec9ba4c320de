# How objects of compiled classes are created.

cdef extern from *:
    """
    /* Objects of a class are created as Python's own are. Its __new__ goes, so that the one of object is found. */
    static int cg_create_as_object(PyTypeObject *type)
    {
        type->tp_new = PyBaseObject_Type.tp_new;
        int failed = PyDict_DelItemString(type->tp_dict, "__new__");
        PyType_Modified(type);
        return failed;
    }
    """
    int cg_create_as_object(PyTypeObject *kind) except -1


def create_as_object(type kind):
    """Let a compiled class without fields be created by ``object.__new__``.

    Cython gives each class a ``__new__`` of its own, which refuses a class that has one of Python's classes before it among
    its bases: ``class Net(Mixin, Module)`` could not be copied or unpickled.
    """
    cg_create_as_object(<PyTypeObject *>kind)
