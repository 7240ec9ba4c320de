# Part of cygrad._kernels: launches that run as one program, without the GIL.

cdef extern from "program.h":
    double cg_now() nogil


def fault_error(message, row):
    """The error of a launch that was watched."""
    op, name, target, limit = message
    return wrong_number(op, name, target, limit, row)


cdef cg_step *new_steps(int64_t count) except NULL:
    """Room for steps."""
    cdef cg_step *steps = <cg_step *>PyMem_Calloc(count + 1, sizeof(cg_step))
    if not steps:
        raise MemoryError(f"a program of {count} launches: no memory for it")
    return steps


cdef cg_step step_of_launch(Launch launch, bint barrier):
    return cg_step(cg_find(launch.kernel, launch.dtype), launch.args, launch.cost, barrier, launch.fault)


cdef class Chain:
    """Launches that run block by block, all of them on one block before the next: each is cut into the same `blocks` and needs
    of what the others write only the block that it is at."""

    def __init__(self, list launches, int64_t blocks):
        cdef Launch launch
        cdef cg_step *steps = new_steps(len(launches))
        cdef int64_t i
        self.launches = launches
        self.chain = cg_chain(steps, len(launches), blocks)
        for i in range(self.chain.count):
            launch = launches[i]
            steps[i] = step_of_launch(launch, False)
            self.cost += launch.cost

    def __dealloc__(self):
        PyMem_Free(<void *>self.chain.steps)

    def __repr__(self):
        return f"<chain of {', '.join([launch.name for launch in self.launches])}>"


cdef class Segment:
    """Launches and chains that run one after the other, in one call to C without the GIL. `barriers` tells of each whether it
    needs what a launch since the last barrier wrote, or writes what that one used."""

    def __init__(self, list launches, list barriers):
        cdef Chain chain
        cdef int64_t i
        self.launches = launches
        self.count = len(launches)
        self.steps = new_steps(self.count)
        for i in range(self.count):
            if isinstance(launches[i], Chain):
                chain = launches[i]
                self.steps[i] = cg_step(cg_run_chain, &chain.chain, chain.cost, barriers[i], NULL)
            else:
                self.steps[i] = step_of_launch(launches[i], barriers[i])
            self.cost += self.steps[i].cost

    def __dealloc__(self):
        PyMem_Free(self.steps)

    cdef int64_t run(self) except -1:
        """Runs all launches; returns how many were run before a fault, or `count`."""
        cdef int64_t done
        if self.cost < GIL_COST:
            done = cg_run_steps(self.steps, self.count)
        else:
            with nogil:
                done = cg_run_steps(self.steps, self.count)
        if done < 0:
            raise MemoryError("a program: no memory for a thread to work in")
        return done

    cdef int fail(self, int64_t number) except -1:
        """Raises the error of launch `number`."""
        cdef Launch launch = self.launches[number]
        raise fault_error(launch.message, launch.fault[0])

    def __call__(self):
        """Runs all launches; raises what a fault among them means."""
        cdef int64_t done = self.run()
        if done < self.count:
            self.fail(done)

    @property
    def barriers(self):
        """Of each launch, whether it needs those since the last barrier to be over."""
        return [bool(self.steps[i].barrier) for i in range(self.count)]

    def times(self):
        """Runs all launches one by one; returns the nanoseconds of each."""
        cdef int64_t i, done
        cdef double before
        result = []
        for i in range(self.count):
            with nogil:
                before = cg_now()
                done = cg_run_steps(self.steps + i, 1)
                before = cg_now() - before
            if done < 1:
                self.fail(i)
            result.append(before)
        return result


cdef class Loop(Segment):
    """Launches that run again and again, in one call to C without the GIL. From one time to the next, words move on: `words`
    lists (launch, the name of an argument, by how much), of addresses and whole numbers."""

    def __init__(self, list launches, list barriers, list words):
        cdef Launch launch
        cdef int64_t i
        Segment.__init__(self, launches, barriers)
        self.word_count = len(words)
        self.words = <cg_advance *>PyMem_Calloc(self.word_count + 1, sizeof(cg_advance))
        if not self.words:
            raise MemoryError(f"a program of {self.count} launches: no memory for it")
        for i in range(self.word_count):
            launch, name, by = words[i]
            self.words[i] = cg_advance(launch.place(name), by)

    def __dealloc__(self):
        PyMem_Free(self.words)

    cdef int64_t repeat(self, int64_t times) except -1:
        """Runs all launches `times` times; returns how often they ran to their end, less where there was a fault."""
        cdef int64_t done
        with nogil:
            done = cg_run_loop(self.steps, self.count, times, self.words, self.word_count, &self.ended)
        if done < 0:
            raise MemoryError("a program: no memory for a thread to work in")
        return done

    def error(self):
        """The error of the launch at which the last run ended."""
        cdef Launch launch = self.launches[self.ended]
        return fault_error(launch.message, launch.fault[0])
