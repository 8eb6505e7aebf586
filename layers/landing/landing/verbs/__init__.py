"""What the service does, one module per function; stores and Flinks come as arguments."""
