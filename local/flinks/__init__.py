"""A simulator of Flinks: its API, the Flinks Capital sandbox and the Connect iframe. Standard library only."""
