"""The checks of `digest doctor`: each on its own, whatever is wrong with the others."""
