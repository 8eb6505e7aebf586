"""The most memory that this process ever had resident."""

import re
import resource
import sys
from pathlib import Path


def peak() -> int:
    """In bytes. Not getrusage's on Linux: a process inherits that from who started it, and a test run is large."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    kilobytes = re.search(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert kilobytes is not None
    return int(kilobytes[1]) * 1024
