# Part of replay.pyx: what a run changes besides the arrays that its launches write.

@cython.final
cdef class GradientSlot:
    """The gradient of a leaf: what a run expects to find there, and what it leaves.

    Args:
        leaf: the tensor whose gradient it is
        before: the array of its gradient, None for no gradient; ignored where `deleted`
        deleted: whether the step sets the gradient to None before it reads it
        after: the gradient that the step left, a tensor or None
    """

    cdef readonly Value leaf
    cdef readonly object before
    cdef readonly Value after
    cdef object array  # of the gradient that the step left
    cdef bint deleted

    def __cinit__(self, Value leaf not None, before, bint deleted, Value after):
        self.leaf, self.before, self.deleted, self.after = leaf, before, deleted, after
        self.array = None if after is None else after._array

    cdef bint holds(self):
        if self.deleted:
            return True
        cdef Value gradient = self.leaf.grad_value
        if gradient is None or self.before is None:
            return gradient is self.before
        return gradient._array is self.before

    cdef int set(self):
        """Leaves the gradient; in a new tensor if somebody has given the last one other memory."""
        if self.after is not None and self.after._array is not self.array:
            self.after = engine.wrap(self.array)
        self.leaf.grad_value = self.after
        return 0

    @property
    def repeats(self):
        """Whether a run leaves the gradient as the next run expects it."""
        return self.deleted or self.array is self.before


# What a group has besides numbers and flags that a launch depends on.
cdef frozenset WITHOUT_EFFECT = frozenset(("params", "param_names", "foreach", "fused", "capturable", "differentiable"))


@cython.final
cdef class OptimizerUpdate:
    """One launch of an optimizer: its step count and hyperparameters are those of the optimizer at the time of the call.

    Args:
        optimizer: a cygrad.optim.Optimizer
        group: the parameter group that the launch updates
        params: the parameters, with a state each in `states`
        states: the optimizer's dict of each parameter
        tensors: the tensors in each state
        launch: the launch
    """

    cdef readonly object optimizer, group
    cdef readonly list params
    cdef list states, tensors, arrays, groups, members, keys, values
    cdef tuple names
    cdef Launch launch
    cdef int64_t *step
    cdef object next

    def __cinit__(self, optimizer, dict group, list params, list states, list tensors, Launch launch not None):
        self.optimizer, self.group, self.launch = optimizer, group, launch
        self.params, self.states, self.tensors = params, states, tensors
        self.names = tuple(tensors[0])
        self.step = <int64_t *>launch.argument("step") if "step" in launch.names else NULL
        self.arrays = [(<Value?>state[name])._array for state in tensors for name in self.names]
        self.groups, self.members = list(optimizer.param_groups), list(group["params"])
        self.keys = [key for key in group if key not in WITHOUT_EFFECT]
        self.values = [group[key] for key in self.keys]
        for name, value in optimizer._numbers(group).items():
            launch.set_scalar(name, value)

    cdef bint holds(self):
        """Whether the optimizer has the same state and options; changed numbers are passed on to the launch."""
        cdef dict group = self.group, states, state, tensors
        found = self.optimizer.state
        if not isinstance(found, dict):
            return False
        states = <dict>found  # or of a subclass, such as defaultdict
        cdef Py_ssize_t i, number = 0, count = len(self.params)
        if not are_identical(self.optimizer.param_groups, self.groups) or not are_identical(group["params"], self.members):
            return False
        cdef object step = (<dict?>self.states[0]).get("step")
        for i in range(count):
            state = states.get(self.params[i])
            if state is not self.states[i] or state.get("step") != step:
                return False
            tensors = self.tensors[i]
            for name in self.names:
                tensor = state.get(name)
                if tensor is not tensors[name] or (<Value>tensor)._array is not self.arrays[number]:
                    return False
                number += 1
        for i in range(len(self.keys)):
            if not is_same(self.values[i], group.get(self.keys[i])):
                return self.refresh()
        return True

    cdef bint refresh(self):
        """Passes the group's new numbers on to the launch. False where another launch is needed for them."""
        group = self.group
        if set(group) - WITHOUT_EFFECT != set(self.keys) or self.optimizer._state_names(group) != self.names:
            return False
        for key, value in zip(self.keys, self.values):
            if (isinstance(value, bool) or isinstance(group[key], bool)) and group[key] != value:
                return False
        for name, value in self.optimizer._numbers(group).items():
            self.launch.set_scalar(name, value)
        self.values = [group[key] for key in self.keys]
        return True

    cdef int prepare(self) except -1:
        """Writes the step count that the launch reads."""
        self.next = (<dict?>self.states[0])["step"] + 1
        if self.step:
            self.step[0] = self.next
        return 0

    cdef int commit(self, int64_t runs) except -1:
        """Counts so many steps in the optimizer's state."""
        for state in self.states:
            (<dict?>state)["step"] = self.next + (runs - 1)
        return 0

    def prepare_part(self):
        """The part of a program before this launch, where the step count can't be written before everything else."""
        if not self.holds():
            raise RuntimeError("compile: an optimizer was changed by the step that it is part of")
        self.prepare()

    def commit_part(self):
        """The part of a program after this launch."""
        self.commit(1)

    def words(self):
        """What advances from run to run: (launch, argument, increment)."""
        return [(self.launch, "step", 1)] if self.step else []


@cython.final
cdef class RandomDraws:
    """The counters that the dropouts of a program draw from one generator.

    Args:
        generator: a cygrad.Generator, None for the default one of the calling thread
        draws: (launch or call, number of counters) of each dropout
    """

    cdef readonly object generator, total
    cdef list events, offsets

    def __cinit__(self, generator, draws):
        self.generator = generator
        self.events, self.offsets, self.total = [], [], 0
        for event, count in draws:
            self.events.append(event)
            self.offsets.append(self.total)
            self.total += count

    def __call__(self):
        """Draws for one run."""
        self.draw(1)

    cdef object source(self):
        return current_generator() if self.generator is None else self.generator

    cdef int draw(self, int64_t runs) except -1:
        """Draws for so many runs, and writes seed and offset of the first one to the events."""
        cdef Launch launch
        cdef uint64_t seed, offset
        seed, offset = self.source().advance(self.total * runs)
        for event, before in zip(self.events, self.offsets):
            if isinstance(event, Launch):
                launch = event
                (<uint64_t *>launch.argument("seed"))[0] = seed
                (<uint64_t *>launch.argument("offset"))[0] = offset + <uint64_t>before
            else:
                event.options = {**event.options, "seed": seed, "offset": (offset + <uint64_t>before)}
        return 0

    cdef int give_back(self, int64_t runs) except -1:
        """Gives back what was drawn for so many runs that did not take place."""
        self.source().advance(-self.total * runs)
        return 0

    def words(self):
        """What advances from run to run: (launch, argument, increment)."""
        return [(launch, "offset", self.total) for launch in self.events]


@cython.final
cdef class Effects:
    """What a run changes besides arrays.

    Args:
        gradients: a GradientSlot for each gradient that the step reads, writes or deletes
        versions: the version counters of the tensors that the launches write to
        updates: the OptimizerUpdates whose steps are counted before and after all parts, not by parts of their own
        draws: the RandomDraws that are made before all parts, not by parts of their own
    """

    cdef readonly tuple gradients, versions, updates, draws

    def __cinit__(self, gradients, versions, updates, draws):
        self.gradients, self.versions = all_of(GradientSlot, gradients), all_of(Version, versions)
        self.updates, self.draws = all_of(OptimizerUpdate, updates), all_of(RandomDraws, draws)

    cdef int prepare(self, int64_t runs) except -1:
        """Draws random counters for so many runs, and writes the step counts of the first one."""
        for draws in self.draws:
            (<RandomDraws>draws).draw(runs)
        for update in self.updates:
            (<OptimizerUpdate>update).prepare()
        return 0

    cdef int commit(self, int64_t runs) except -1:
        """Counts the steps of so many runs."""
        for update in self.updates:
            (<OptimizerUpdate>update).commit(runs)
        return 0

    cdef int give_back(self, int64_t runs) except -1:
        """Gives back the random counters of so many runs that did not take place."""
        for draws in self.draws:
            (<RandomDraws>draws).give_back(runs)
        return 0

    cdef int apply(self, int64_t runs) except -1:
        """Sets the gradients, and counts the writes of so many runs."""
        for gradient in self.gradients:
            (<GradientSlot>gradient).set()
        for version in self.versions:
            (<Version>version).value += runs
        return 0
