"""An example of a package that offers a strategy and a search space to nas."""
