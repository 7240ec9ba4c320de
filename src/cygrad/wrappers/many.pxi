# Many arrays in one launch: tables of pointers and sizes.

from libc.stdlib cimport free


cdef class Many:
    """Lists of arrays of one dtype. Array t of every list has the size of array t of the first list."""

    cdef void **pointers
    cdef int64_t *sizes
    cdef int64_t tensors, blocks
    cdef int lists, type_number
    cdef str op
    cdef list kept  # the arrays, so that they live as long as their addresses are used

    def __cinit__(self, str op, int64_t tensors, int lists):
        self.op = op
        self.kept = []
        self.tensors = tensors
        self.lists = lists
        self.type_number = cnp.NPY_FLOAT32  # of no arrays
        self.pointers = <void **>cg_calloc(tensors * lists + 1, sizeof(void *))
        self.sizes = <int64_t *>cg_malloc((tensors + 1) * sizeof(int64_t))
        if not self.pointers or not self.sizes:
            raise MemoryError(f"{op}: out of memory for a list of {tensors} arrays")

    def __dealloc__(self):
        free(self.pointers)
        free(self.sizes)

    cdef void **take(self, int number, str name, object arrays, bint writes=True) except NULL:
        """Set list `number` to arrays that the kernel writes in place or, unless `writes`, only reads."""
        cdef void **pointers = self.pointers + number * self.tensors
        cdef ndarray array
        cdef int64_t t = 0
        cdef tuple items = tuple(arrays)  # nobody else can change it
        self.kept.append(items)
        if len(items) != self.tensors:
            raise ValueError(f"{self.op}: got {len(items)} arrays of {name}, but {self.tensors} of the first list")
        for item in items:
            array = written(self.op, name, item) if writes else real(self.op, name, item)
            if array is not item:
                self.kept.append(array)
            if number == 0:
                self.sizes[t] = size(array)
                self.blocks += (self.sizes[t] + CG_BLOCK - 1) // CG_BLOCK
                if t == 0:
                    self.type_number = cnp.PyArray_TYPE(array)
            if cnp.PyArray_TYPE(array) != self.type_number:
                raise TypeError(f"{self.op}: all arrays must have one dtype, got {array.dtype} after others")
            if size(array) != self.sizes[t]:
                raise ValueError(f"{self.op}: entry {t} of {name} has shape {shape_of(array)}, which does not have {self.sizes[t]} elements")
            pointers[t] = data(array)
            t += 1
        return pointers

    cdef void **take_if(self, bint wanted, int number, str name, object arrays) except NULL:
        """take() if the kernel uses list `number`, else a list of NULLs."""
        return self.take(number, name, arrays) if wanted else self.pointers + number * self.tensors

    cdef int dtype(self) noexcept:
        return CG_FLOAT32 if self.type_number == cnp.NPY_FLOAT32 else CG_FLOAT64
