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
from .affinity_and_diversity import affinity as affinity
from .affinity_and_diversity import diversity as diversity
from .affinity_and_diversity import train_with as train_with
from .pools import recorded_pools as recorded_pools
