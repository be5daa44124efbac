"""The faces of the loop, named as Tornado 4.5 names its platform modules."""
