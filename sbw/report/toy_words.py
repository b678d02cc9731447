"""What the report says of a toy's laws."""

from sbw.params.toys import ConstantFiring, LowRankCorrelation, NoCorrelation, PairCorrelation, ToyParams
from sbw.report.words import count, plain

_SPREAD = {"linear": "that fall in a straight line", "zipf": "that fall by Zipf's law", "random": "drawn evenly"}


def rates(toy: ToyParams) -> str:
    """How often its features fire."""
    firing = toy.firing
    if isinstance(firing, ConstantFiring):
        return f"They all fire with a probability of {plain(firing.probability)}."
    return f"They fire with probabilities {_SPREAD[firing.law]} from {plain(firing.max)} to {plain(firing.min)}."


def together(toy: ToyParams) -> str:
    """Which of its features fire together."""
    return f"{_correlated(toy)}{_below(toy)}"


def _correlated(toy: ToyParams) -> str:
    correlation = toy.correlation
    if isinstance(correlation, NoCorrelation):
        return "They fire independently."
    if isinstance(correlation, PairCorrelation):
        return f"Of their pairs {count(len(correlation.pairs), 'is', 'are')} correlated."
    if isinstance(correlation, LowRankCorrelation):
        return f"Their correlations have {count(correlation.rank, 'common cause')} of scale {plain(correlation.scale)}."
    return (
        f"Of their pairs {correlation.uncorrelated:.0%} are uncorrelated, and of the others {correlation.positive:.0%} "
        f"positively correlated, with strengths from {plain(correlation.min_strength)} to "
        f"{plain(correlation.max_strength)}."
    )


def _below(toy: ToyParams) -> str:
    if toy.hierarchy is None:
        return ""
    return (
        f" Below {count(toy.hierarchy.total_root_nodes, 'root')} of a hierarchy they fire only where their parent does."
    )
