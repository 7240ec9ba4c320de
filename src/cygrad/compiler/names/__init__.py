"""What a step reads and writes by name: the numbers and objects that its functions refer to."""
