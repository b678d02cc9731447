from . import metrics as metrics
from .lockstep.trainer import train_lockstep as train_lockstep
from .verdict.audit import audit as audit
from .verdict.recommendation import recommend as recommend
