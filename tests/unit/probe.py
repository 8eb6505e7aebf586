"""Started by probe.mk in place of the local stack: calls AWS and a page on loopback as it does, and tells of itself."""

import json
import os
import sys
import urllib.request
import warnings

sys.path.insert(0, os.getcwd())  # noqa: PTH109 - as `python -m` does

from local.aws.deployment import EmulatorAddress

url = sys.argv[1]
with urllib.request.urlopen(f"{url}/page", timeout=5) as page:  # noqa: S310 - loopback
    said = page.read().decode()
emulator = EmulatorAddress(url, url, "ca-central-1", "123456789012", "LOCAL", "local")
account = emulator.client("sts").get_caller_identity()["Account"]
warnings.warn("a library of ours grows old", DeprecationWarning, stacklevel=1)
print(
    json.dumps(
        {
            "page": said,
            "account": account,
            "asserts": __debug__,
            "encoding": sys.stdout.encoding,
            "environment": dict(os.environ),
        }
    )
)
