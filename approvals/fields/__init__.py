"""What does a reviewer read about a change, and what is known about the place it changes?"""

from approvals.fields.describing import BadField, Catalogue, Field, Sensitivity
from approvals.fields.rows import OTHER_CHANGES, Row, rows

__all__ = ["OTHER_CHANGES", "BadField", "Catalogue", "Field", "Row", "Sensitivity", "rows"]
