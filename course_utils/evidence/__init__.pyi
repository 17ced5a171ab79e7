# The public names; loaded when they are first used, because the experiments need every room of the package.
from .claims import CLAIMS as CLAIMS
from .ledger import Claim as Claim
from .ledger import Record as Record
from .ledger import claim as claim
from .ledger import record as record
from .ledger import recorded as recorded
from .ledger import register as register
from .ledger import run as run
from .ledger import show as show
from .ledger import table as table
