"""The pretrained directory as a table: every SAE, nothing guessed."""

import pandas as pd
import pytest
from pydantic import ValidationError
from sae_lens import __version__
from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

from sbw.params.data import CollectL0
from sbw.pretrained.directory import PRETRAINED, parse_layer, parse_site, parse_width, pretrained_saes, select


@pytest.fixture(scope="module")
def saes() -> pd.DataFrame:
    return pretrained_saes()


def test_agrees_with_the_directory_sae_by_sae(saes: pd.DataFrame) -> None:
    rows = saes.set_index(["release", "sae_id"])
    assert rows.index.is_unique
    count = 0
    for release, entry in get_pretrained_saes_directory().items():
        for sae_id in entry.saes_map:
            row = rows.loc[(release, sae_id)]
            count += 1
            assert (row.repo_id, row.model) == (entry.repo_id, entry.model)
            assert (0 if pd.isna(row.l0) else row.l0) == entry.expected_l0[sae_id]
            explained = 1 if pd.isna(row.variance_explained) else row.variance_explained
            assert explained == entry.expected_var_explained[sae_id]
            assert row.neuronpedia_id == entry.neuronpedia_id[sae_id]
    assert count == len(saes)


def test_columns_are_the_schemas_and_the_version_is_in_it(saes: pd.DataFrame) -> None:
    assert [*saes.columns, "selected"] == PRETRAINED.names
    assert PRETRAINED.metadata[b"sae_lens_version"].decode() == __version__


@pytest.mark.skipif(__version__ != "6.54.12", reason="the counts are those of sae-lens 6.54.12")
def test_the_papers_selection(saes: pd.DataFrame) -> None:
    selected = saes[select(saes, ["*"], ["*"], require_neuronpedia=True)]
    assert len(saes) == 13_857
    assert (len(selected), selected["model"].nunique(), selected["l0"].median()) == (739, 16, 50)
    gemma = selected.loc[selected["model"] == "gemma-2-2b", "l0"]
    assert (len(gemma), round(gemma.mean(), 2), gemma.median()) == (80, 68.12, 40)


def test_selection_follows_patterns(saes: pd.DataFrame) -> None:
    chosen = saes[select(saes, ["gpt2-small", "gemma-2-*"], ["*-res*"], require_neuronpedia=False)]
    assert set(chosen["model"]) >= {"gpt2-small", "gemma-2-2b"}
    assert all(model == "gpt2-small" or model.startswith("gemma-2-") for model in chosen["model"])
    assert chosen["release"].str.contains("-res").all()
    assert (chosen["l0"] > 0).all()
    assert chosen["neuronpedia_id"].isna().any()


@pytest.mark.parametrize(
    ("models", "releases", "message"),
    [
        (["nothing"], ["*"], r"`models` must match one of: .*gemma-2-2b, .*, got \['nothing'\]"),
        (["gemma-2-2b"], ["no", "none"], r"`releases` must match one of: .*-res.*, got \['no', 'none'\]"),
    ],
)
def test_a_selection_of_nothing_is_refused(models: list[str], releases: list[str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        CollectL0(models=models, releases=releases, require_neuronpedia=True)


@pytest.mark.parametrize(
    ("release", "sae_id", "layer", "width", "site"),
    [
        ("gemma-scope-2b-pt-res", "layer_10/width_131k/average_l0_106", 10, 131_072, "residual"),
        ("gemma-scope-2b-pt-att-canonical", "layer_0/width_16k/canonical", 0, 16_384, "attention"),
        ("gemma-scope-2b-pt-res", "embedding/width_4k/average_l0_6", None, 4_096, "embedding"),
        ("gemma-scope-2-4b-it-mlp-all", "layer_0_width_262k_l0_big", 0, 262_144, "mlp"),
        ("gemma-scope-2-4b-it-res", "layer_17_width_1m_l0_small_seed_1", 17, 1_048_576, "residual"),
        ("gemma-scope-2-4b-it-transcoders", "transcoder/layer_9_width_65k_l0_big_affine", 9, 65_536, "transcoder"),
        ("gpt2-small-resid-post-v5-32k", "blocks.11.hook_resid_post", 11, 32_768, "residual"),
        ("gpt2-small-mlp-out-v5-128k", "blocks.3.hook_mlp_out", 3, 131_072, "mlp"),
        ("gpt2-small-hook-z-kk", "blocks.7.hook_z", 7, None, "attention"),
        ("gpt2-small-res-jb-feature-splitting", "blocks.8.hook_resid_pre_768", 8, 768, "residual"),
        ("sae_bench_gemma-2-2b_topk_width-2pow12", "blocks.12.hook_resid_post__trainer_0", 12, 4_096, "residual"),
        ("llama_scope_lxa_8x", "l31a_8x", 31, None, "attention"),
        ("llama_scope_r1_distill", "l0r_800m_slimpajama", 0, None, "residual"),
        ("qwen-scope-3.5-27b-w80k-l100", "layer3", 3, None, None),
        ("qwen-scope-3-8b-base-w64k-l50", "layer35", 35, 65_536, None),
        ("mntss-gemma-2-2b-2.5m-clt-as-per-layer", "layer_4", 4, None, "transcoder"),
        ("goodfire-llama-3.1-8b-instruct", "layer_19", 19, None, None),
        ("gpt-oss-20b-andyrdt", "resid_post_layer_3_trainer_0", 3, None, "residual"),
        ("unheard-of", "", None, None, None),
        ("", "player_3_widths_9k", None, None, None),
    ],
)  # fmt: skip
def test_ids_are_parsed_where_they_speak(
    release: str, sae_id: str, layer: int | None, width: int | None, site: str | None
) -> None:
    assert (parse_layer(sae_id), parse_width(release, sae_id), parse_site(release, sae_id)) == (layer, width, site)
