"""The life of a connection to Flinks: received, exchanged, dropped, erased."""

import gc
import os

if "AWS_LAMBDA_INITIALIZATION_TYPE" in os.environ:
    # Nothing that a cold start makes is garbage, and looking for some takes a tenth of it. `edge.invocation` goes on.
    gc.disable()
