from . import metrics as metrics
from .auditing.audit import audit as audit
from .lockstep.trainer import train_lockstep as train_lockstep
from .verdict.recommendation import recommend as recommend
