"""AWS in the words of a connection. Knows nothing of Flinks' API."""
