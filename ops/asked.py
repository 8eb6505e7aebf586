"""What the global options said: which stack is meant, and for whom the answer is."""

from dataclasses import dataclass, field
from pathlib import Path

from ops.target import LOCAL, Target
from ops.telling import Telling


@dataclass
class Asked:
    """`stack`, `profile` and `region` name a stack of AWS; without them it is the local one."""

    stack: str | None = None
    profile: str | None = None
    region: str | None = None
    local: Path = LOCAL
    telling: Telling = field(default_factory=Telling)

    @property
    def target(self) -> Target:
        """Raises Refused."""
        return Target.of(self.stack, self.profile, self.region, self.local)


asked = Asked()
"""Set once, before a command runs."""
