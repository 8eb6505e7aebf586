"""The connection, its states and what may follow what: pure, and nothing of AWS, Flinks or HTTP."""
