"""The claim ledger: what the papers say, run here with seeds, recorded and judged.

``show(key)`` draws a recorded claim in a chapter; ``make evidence`` runs the ledger again.
"""

from course_utils.evidence import claims
from course_utils.evidence.ledger import CLAIMS, Claim, Record, claim, record, recorded, register, run, show

__all__ = ["CLAIMS", "Claim", "Record", "claim", "claims", "record", "recorded", "register", "run", "show"]
