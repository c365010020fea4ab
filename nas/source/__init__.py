"""A network as plain PyTorch source, read from its modules and from the source of their classes.

`recording` records the constructor arguments of every module, `expressions` writes one module as a
constructor call, and `anti_unify` finds what several such calls have in common. `forwards` writes
what a module computes. `trimming` cuts a class to what one network uses, `own_classes` collects the
classes written that way, and `module_state` writes the others from the state of their instances.
`printing` lays the code out, and `network` puts it all together.
"""
