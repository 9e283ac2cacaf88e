"""What of others' work a host gets, and how the product gets there: lock, audit, packages.

Tools of the tree, not of the product: nothing here runs on a node, but for `placing`, once.
"""
