# Many arrays in one launch: the pointers and sizes that a kernel walks.

from libc.stdlib cimport calloc, free, malloc


cdef class Many:
    """Lists of arrays of one dtype, side by side: array t of every list has the size of array t of the first."""

    cdef void **pointers
    cdef int64_t *sizes
    cdef int64_t tensors, blocks
    cdef int lists, type_number
    cdef str op
    cdef list copies  # of arrays that are only read and were not in order

    def __cinit__(self, str op, int64_t tensors, int lists):
        self.op = op
        self.copies = []
        self.tensors = tensors
        self.lists = lists
        self.pointers = <void **>calloc(tensors * lists + 1, sizeof(void *))
        self.sizes = <int64_t *>malloc((tensors + 1) * sizeof(int64_t))
        if not self.pointers or not self.sizes:
            raise MemoryError(f"{op}: no memory for a list of {tensors} arrays")

    def __dealloc__(self):
        free(self.pointers)
        free(self.sizes)

    cdef void **take(self, int number, str name, object arrays, bint writes=True) except NULL:
        """Notes list `number`: arrays that the kernel writes in place, or only reads; None for a list of NULLs, which it leaves alone."""
        cdef void **pointers = self.pointers + number * self.tensors
        cdef ndarray array
        cdef int64_t t = 0
        if arrays is None:
            return pointers
        if len(arrays) != self.tensors:
            raise ValueError(f"{self.op}: {len(arrays)} arrays of {name} for {self.tensors} of the others")
        for item in arrays:
            array = written(self.op, name, item) if writes else real(self.op, name, item)
            if array is not item:
                self.copies.append(array)
            if number == 0:
                self.sizes[t] = size(array)
                self.blocks += (self.sizes[t] + 4095) // 4096
                if t == 0:
                    self.type_number = cnp.PyArray_TYPE(array)
            if cnp.PyArray_TYPE(array) != self.type_number:
                raise TypeError(f"{self.op}: arrays of more than one dtype in one call, {array.dtype} among them")
            if size(array) != self.sizes[t]:
                raise ValueError(f"{self.op}: {name} number {t} has shape {shape_of(array)}, which does not fit")
            pointers[t] = data(array)
            t += 1
        return pointers

    cdef int dtype(self) noexcept:
        return CG_FLOAT32 if self.type_number == cnp.NPY_FLOAT32 else CG_FLOAT64

    cdef double numbers(self) noexcept:
        cdef double total = 0
        cdef int64_t t
        for t in range(self.tensors):
            total += self.sizes[t]
        return total
