"""The op table: the forward computation and the gradient rule of each op, one block each, on arrays.

``@op`` makes an op of its forward function, ``@name.gradient`` gives it the rule. Called with tensors, an op
computes and, where a gradient is wanted, records itself in the graph (``cygrad.autograd``).
"""
