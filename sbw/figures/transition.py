"""What the latents stand for after L0 has moved, from above or from below."""

import pandas as pd
from matplotlib.figure import Figure

from sbw.figures.style import BAR_ROOM, cosine_bar, cosine_panel, panels, spread_name

TABLES = ["cosines", "saes"]
COLUMNS, PANEL = 3, (2.03, 2.3)  # inches

_RAMP = ["initial_k", "k", "samples"]


def draw(cosines: pd.DataFrame, saes: pd.DataFrame) -> Figure:
    """A decoder heatmap per ramp, of its first seed, and the MCC of all its seeds: mean and range."""
    trained = saes[saes["variant"] == "trained"]
    ramps = trained[_RAMP].drop_duplicates()
    figure, grid = panels(len(ramps), COLUMNS, PANEL, room=BAR_ROOM, sharex=True, sharey=True)
    for axes, (_, ramp) in zip(grid, ramps.iterrows(), strict=True):
        of_ramp = trained[(trained[_RAMP] == ramp).all(axis=1)]
        of_seed = cosines["seed"] == of_ramp["seed"].iloc[0]
        cosine_panel(axes, cosines[(cosines[_RAMP] == ramp).all(axis=1) & of_seed], "decoder", bar=False)
        axes.set(xlabel="", ylabel="", title=f"{_moved(ramp)}\n{_mcc(of_ramp['mcc'])}")
    cosine_bar(figure, grid, shrink=0.8)
    true_l0, seed = trained[["true_l0", "seed"]].iloc[0]
    and_then = "; " if len(ramps) > 1 else "\n"
    stated = spread_name(trained["seed"].nunique())
    figure.suptitle(f"Decoders of seed {seed:g}, true L0 = {true_l0:.2f}{and_then}MCC: {stated}")
    return figure


def _moved(ramp: pd.Series) -> str:
    initial_k, k, samples = ramp
    count = f"{samples / 1e6:.1f} M" if samples >= 1e5 else f"{samples:,.0f}"
    return f"{initial_k:g} → {k:g} in {count} samples"


def _mcc(values: pd.Series) -> str:
    spread = f" ({values.min():.2f}–{values.max():.2f})" if len(values) > 1 else ""
    return f"MCC {values.mean():.2f}{spread}"
