# Part of cygrad._kernels: segments, chains and loops of launches, which run without the GIL.

cdef extern from "program.h":
    double cg_now() nogil


def fault_error(message, row):
    """The error of a watched launch: `message` as passed to watch(), and the row that the fault names."""
    op, name, target, limit = message
    return index_error(op, name, target, limit, row)


cdef cg_step *new_steps(int64_t count) except NULL:
    """Memory for steps."""
    cdef cg_step *steps = <cg_step *>cg_calloc(count + 1, sizeof(cg_step))
    if not steps:
        raise MemoryError(f"a program: out of memory for {count} launches")
    return steps


cdef cg_step step_of_launch(Launch launch, bint barrier):
    if launch is None:
        raise TypeError("a program: expected a launch, got None")
    return cg_step(cg_find(launch.kernel, launch.dtype), launch.args, launch.cost, barrier, launch.fault)


cdef class Chain:
    """Launches that run block by block, all of them on one block before the next. Each is cut into the same blocks, and of
    what the others write it needs only the current block.

    Args:
        launches: the launches, in order
        blocks: the number of blocks
    """

    def __init__(self, list launches, int64_t blocks):
        cdef Launch launch
        cdef cg_step *steps = new_steps(len(launches))
        cdef int64_t i
        self.launches = tuple(launches)
        self.chain = cg_chain(steps, len(launches), blocks)
        for i in range(self.chain.count):
            launch = <Launch?>self.launches[i]
            steps[i] = step_of_launch(launch, False)
            self.cost += launch.cost

    def __dealloc__(self):
        free(<void *>self.chain.steps)

    def __repr__(self):
        return f"<chain of {', '.join([launch.name for launch in self.launches])}>"


cdef class Segment:
    """Launches and chains that run one after another, in one call into C without the GIL.

    Args:
        launches: launches and chains, in order
        barriers: for each of them, whether all threads must have finished those since the last barrier before it starts
    """

    def __init__(self, list launches, list barriers):
        cdef Chain chain
        cdef int64_t i
        if len(barriers) != len(launches):
            raise ValueError(f"a program: {len(launches)} launches need as many barriers, got {len(barriers)}")
        self.launches = tuple(launches)
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
        free(self.steps)

    cdef int64_t run(self) except -1:
        """Run all launches; returns the number of the one with a fault, or `count`."""
        cdef int64_t done
        if self.cost < GIL_COST:
            done = cg_run_steps(self.steps, self.count)
        else:
            with nogil:
                done = cg_run_steps(self.steps, self.count)
        if done < 0:
            raise MemoryError("a program: out of memory for a thread's working memory")
        return done

    cdef int fail(self, int64_t number) except -1:
        """Raise the error of launch `number`."""
        cdef Launch launch = self.launches[number]
        raise fault_error(launch.message, launch.fault[0])

    def __call__(self):
        """Run all launches; raises the error of the first fault."""
        cdef int64_t done = self.run()
        if done < self.count:
            self.fail(done)

    @property
    def barriers(self):
        """For each launch, whether it waits for those since the last barrier."""
        return [bool(self.steps[i].barrier) for i in range(self.count)]

    def times(self):
        """Run all launches one by one; returns the nanoseconds of each."""
        cdef int64_t i, done
        cdef double start, elapsed
        result = []
        for i in range(self.count):
            with nogil:
                start = cg_now()
                done = cg_run_steps(self.steps + i, 1)
                elapsed = cg_now() - start
            if done < 1:
                self.fail(i)
            result.append(elapsed)
        return result


cdef class Loop(Segment):
    """Launches that run any number of times, in one call into C without the GIL.

    Args:
        launches, barriers: as for Segment
        words: (launch, argument, increment) of each address or integer that grows from run to run
    """

    def __init__(self, list launches, list barriers, list words):
        cdef Launch launch
        cdef int64_t i
        Segment.__init__(self, launches, barriers)
        self.word_count = len(words)
        self.words = <cg_advance *>cg_calloc(self.word_count + 1, sizeof(cg_advance))
        if not self.words:
            raise MemoryError(f"a program: out of memory for {self.count} launches")
        for i in range(self.word_count):
            launch, name, increment = words[i]
            self.words[i] = cg_advance(launch.argument(name), increment)

    def __dealloc__(self):
        free(self.words)

    cdef int64_t repeat(self, int64_t times) except -1:
        """Run all launches `times` times; returns the number of complete runs, which is smaller after a fault."""
        cdef int64_t done
        with nogil:
            done = cg_run_loop(self.steps, self.count, times, self.words, self.word_count, &self.ended)
        if done < 0:
            raise MemoryError("a program: out of memory for a thread's working memory")
        return done

    def error(self):
        """The error of the launch whose fault ended the last run."""
        cdef Launch launch = self.launches[self.ended]
        return fault_error(launch.message, launch.fault[0])
