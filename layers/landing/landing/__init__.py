"""The life of a connection to Flinks: received, exchanged, dropped, erased."""
