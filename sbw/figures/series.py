"""The tables that figures and interactive plots are drawn from, one for both: small, tidy, and rounded."""

from html import escape

import pandas as pd

DIGITS = 5
"""Decimals that a plot can show."""


def over_seeds(table: pd.DataFrame, value: str, *keys: str) -> pd.DataFrame:
    """Mean, least and greatest of a value over the seeds, how many they are, and the toy's true L0."""
    band = table.groupby(list(keys))[value].agg(mean="mean", low="min", high="max", seeds="count").reset_index()
    return _rounded(band.assign(true_l0=table["true_l0"].iloc[0]))


def cosines(cosines: pd.DataFrame) -> pd.DataFrame:
    """One SAE: the cosine of every latent, in the order of the features that they are matched to, with every feature,
    of encoder and decoder."""
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
    tables = [over_seeds(trained, name, "k").assign(metric=name) for name in ("c_dec", "c_enc", "mcc")]
    nulls = dict.fromkeys(("c_dec", "c_enc"), c_null(trained))
    return _rounded(pd.concat(tables).assign(null=lambda table: table["metric"].map(nulls)))


def c_null(saes: pd.DataFrame) -> float:
    """The c_dec of random directions in the width of the table's SAEs."""
    return float((saes["c_dec"] / saes["c_dec_over_null"]).iloc[0])


def projections(projections: pd.DataFrame, saes: pd.DataFrame) -> pd.DataFrame:
    """s_n against k, for every n."""
    trained = projections[projections["variant"] == "trained"].assign(true_l0=saes["true_l0"].iloc[0])
    return over_seeds(trained, "s_n", "k", "n")


def tradeoff(saes: pd.DataFrame) -> pd.DataFrame:
    """The variance explained of trained SAEs and of the true features against k."""
    return over_seeds(saes, "variance_explained_about_zero", "k", "variant")


def mixing(mixing: pd.DataFrame) -> pd.DataFrame:
    """Mixing, an SAE's mean over its latents, against the correlation and k."""
    of_saes = mixing.groupby(["rho", "k", "seed", "true_l0"])["mixing"].mean().reset_index()
    return over_seeds(of_saes, "mixing", "rho", "k")


def mixings(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Mixing in every experiment on it."""
    return pd.concat([mixing(table).assign(experiment=name) for name, table in tables.items()])


def public(saes: pd.DataFrame) -> pd.DataFrame:
    """The L0 of the public SAEs that the params ask for, by model; their names cannot be taken for HTML."""
    chosen = saes[saes["selected"]]
    names = {name: chosen[name].map(escape) for name in ("model", "sae_id")}
    return chosen[["model", "sae_id", "l0"]].assign(**names).sort_values(["model", "l0", "sae_id"])


def _rounded(table: pd.DataFrame) -> pd.DataFrame:
    floats = table.select_dtypes("float").columns
    return table.astype(dict.fromkeys(floats, float)).round(DIGITS)
