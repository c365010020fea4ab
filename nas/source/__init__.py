"""A network as plain PyTorch source: read off the built modules, and off the source they are from.

`recording` notes what every module was made with, `expressions` writes one module as a call,
`anti_unify` finds what several have in common, `forwards` writes what a module computes, `trimming` cuts
a class to what one network uses, `own_classes` are those, `holdings` writes the others as what they
hold, `printing` lays the code out, and `network` puts it all together.
"""
