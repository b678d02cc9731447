"""The tables behind the interactive plots, from those that the figures are drawn from: small, tidy, and rounded."""

import pandas as pd

DIGITS = 5
"""Decimals that a plot can show."""


def cosines(cosines: pd.DataFrame) -> pd.DataFrame:
    """The SAE in focus: the cosine of every latent, in the order of the features that they are matched to, with every
    feature, of encoder and decoder."""
    order = cosines.sort_values(["matched_feature", "latent"])["latent"].unique()
    place = {latent: rank for rank, latent in enumerate(order)}
    table = cosines.melt(
        id_vars=["latent", "matched_feature", "feature"],
        value_vars=["encoder_cosine", "decoder_cosine"],
        var_name="side",
        value_name="cosine",
    )
    table["side"] = table["side"].str.removesuffix("_cosine")
    return _rounded(table.assign(row=table["latent"].map(place)))


def sweep(saes: pd.DataFrame) -> pd.DataFrame:
    """c_dec, c_enc and MCC against k, with the c_dec of random directions as `null` where it is one to compare with."""
    trained = saes[saes["variant"] == "trained"]
    null = (trained["c_dec"] / trained["c_dec_over_null"]).iloc[0]
    tables = [_band(trained, name, "k").assign(metric=name) for name in ("c_dec", "c_enc", "mcc")]
    return _rounded(pd.concat(tables).assign(null=lambda table: table["metric"].map({"c_dec": null, "c_enc": null})))


def projections(projections: pd.DataFrame, saes: pd.DataFrame) -> pd.DataFrame:
    """s_n against k, for every n."""
    trained = projections[projections["variant"] == "trained"].assign(true_l0=saes["true_l0"].iloc[0])
    return _rounded(_band(trained, "s_n", "k", "n"))


def tradeoff(saes: pd.DataFrame) -> pd.DataFrame:
    """The variance explained of trained SAEs and of the true features against k."""
    return _rounded(_band(saes, "variance_explained_about_zero", "k", "variant"))


def mixing(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Mixing against the correlation, for every experiment on it and k."""
    of_saes = [
        table.groupby(["rho", "k", "seed"], as_index=False)["mixing"].mean().assign(experiment=name, true_l0=None)
        for name, table in tables.items()
    ]
    return _rounded(_band(pd.concat(of_saes), "mixing", "rho", "experiment", "k").drop(columns="true_l0"))


def public(saes: pd.DataFrame) -> pd.DataFrame:
    """The L0 of the selected public SAEs, by model."""
    chosen = saes.loc[saes["selected"], ["model", "sae_id", "l0"]]
    return chosen.sort_values(["model", "l0", "sae_id"])


def _band(table: pd.DataFrame, value: str, *keys: str) -> pd.DataFrame:
    """Mean, least and greatest of a value over the seeds, and how many they are."""
    groups = table.groupby(list(keys))
    band = groups[value].agg(mean="mean", low="min", high="max", seeds="count").reset_index()
    return band.assign(true_l0=table["true_l0"].iloc[0])


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    floats = table.select_dtypes("float").columns
    return table.astype(dict.fromkeys(floats, float)).round(DIGITS)
