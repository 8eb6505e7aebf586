"""Ids shaped like Flinks' own: those of logins and accounts are no RFC 4122 GUIDs (flinks.md §14)."""

import re
from hashlib import sha256

GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def sequential_guid(*seed: object) -> str:
    """Derive a GUID that looks database-sequential: variant nibble outside 8 to b, last group from 08de."""
    text = _digest(seed)
    variant = "0123456cdef"[int(text[16], 16) % 11]
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{variant}{text[17:20]}-08de{text[20:28]}"


def random_guid(*seed: object) -> str:
    """Derive a GUID that looks like any random one."""
    text = _digest(seed)
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-{'89ab'[int(text[16], 16) % 4]}{text[17:20]}-{text[20:32]}"


def _digest(seed: tuple[object, ...]) -> str:
    return sha256("/".join(map(str, seed)).encode()).hexdigest()
