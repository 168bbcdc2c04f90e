"""When is a version stored whole, and when as changes on the one before?

Measured: changes with a whole document now and then beat full copies, chunks and binary deltas
at every size; below 4 KB the whole document is read faster than a chain.
"""

SMALL_DOCUMENT_BYTES = 4_096
LONGEST_CHAIN = 64
CHAIN_TO_KEYFRAME_BYTES = 0.5
# A reference adds the rows of what it refers to; reading never takes more than about these.
LONGEST_REFERRED = 4 * LONGEST_CHAIN


def is_due(*, document_bytes: int, chain: int, chain_bytes: int, keyframe_bytes: int) -> bool:
    """Say whether the next version should be stored whole; `chain_bytes` counts its changes."""
    return (
        document_bytes < SMALL_DOCUMENT_BYTES
        or chain >= LONGEST_CHAIN
        or chain_bytes > CHAIN_TO_KEYFRAME_BYTES * keyframe_bytes
    )
