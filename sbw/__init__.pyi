from sbw import metrics as metrics
from sbw.lockstep.trainer import train_lockstep as train_lockstep
from sbw.verdict.audit import audit as audit
from sbw.verdict.recommendation import recommend as recommend
