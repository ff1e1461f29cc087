"""The tiny golden models of ../shared/goldens/models as transformers models.

transformers has a GGUF loader of its own, but it fetches nothing about RoPE scaling and wants a tokenizer it knows;
here the tensors are copied one by one, so every step can be read.
"""

import json
from pathlib import Path

import numpy
import torch
from gguf import GGUFReader
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "goldens" / "models"

LAYER_TENSORS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def facts(name):
    """The JSON beside a model: hyper-parameters, prompts."""
    return json.loads((FOLDER / f"{name}.json").read_text())


def prompt(name, label):
    return next(run["tokens"] for run in facts(name)["runs"] if run["label"] == label)


def halves_from_neighbours(weight, heads):
    """GGUF stores llama's query and key rows so that rotated pairs are neighbours; transformers wants (i, i + d/2)."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns)


def tensors(name):
    reader = GGUFReader(FOLDER / f"{name}.gguf")
    return {t.name: torch.from_numpy(numpy.array(t.data, dtype=numpy.float32)) for t in reader.tensors}


def state_of(name, given):
    """The weights under transformers' names."""
    hparams = given["hparams"]
    heads = {"attn_q": hparams["n_head"], "attn_k": hparams["n_head_kv"]}
    state = {}
    for full, tensor in tensors(name).items():
        parts = full.split(".")
        if parts[0] == "token_embd":
            state["model.embed_tokens.weight"] = tensor
        elif parts[0] == "output_norm":
            state["model.norm.weight"] = tensor
        elif parts[0] == "output":
            state["lm_head.weight"] = tensor
        elif parts[0] == "blk":
            if given["architecture"] == "llama" and parts[2] in heads:
                tensor = halves_from_neighbours(tensor, heads[parts[2]])
            state[f"model.layers.{parts[1]}.{LAYER_TENSORS[parts[2]]}.{parts[3]}"] = tensor
        else:
            assert full == "rope_freqs.weight", full  # said by llama3_scaling in the JSON
    if "lm_head.weight" not in state:
        state["lm_head.weight"] = state["model.embed_tokens.weight"]
    return state


def load(name, rope=None, attention="sdpa"):
    """A model in float32. `rope`: rope_parameters in place of the file's own; a "rope_theta" may be left out."""
    given = facts(name)
    hparams = given["hparams"]
    parameters = {"rope_type": "default"}
    if "llama3_scaling" in hparams:
        factor, original = hparams["llama3_scaling"]
        parameters = {
            "rope_type": "llama3",
            "factor": factor,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": original,
        }
    if "rope_scaling" in hparams:
        kind, factor, original = hparams["rope_scaling"]
        parameters = {"rope_type": kind, "factor": factor, "original_max_position_embeddings": original}
    parameters = {"rope_theta": hparams["rope_freq_base"], **(parameters if rope is None else rope)}
    config_class, model_class = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    }[given["architecture"]]
    window = parameters.pop("max_position_embeddings", hparams["n_ctx_train"])
    config = config_class(
        vocab_size=hparams["n_vocab"],
        hidden_size=hparams["n_embd"],
        intermediate_size=hparams["n_ff"],
        num_hidden_layers=hparams["n_layer"],
        num_attention_heads=hparams["n_head"],
        num_key_value_heads=hparams["n_head_kv"],
        head_dim=hparams["head_dim"],
        max_position_embeddings=window,
        rms_norm_eps=hparams["rms_eps"],
        rope_parameters=parameters,
        tie_word_embeddings=False,
        attn_implementation=attention,
        pad_token_id=None,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = model_class(config).to(torch.float32).eval()
    missing, unexpected = model.load_state_dict(state_of(name, given), strict=False)
    assert not unexpected and not [key for key in missing if "rotary" not in key], (missing, unexpected)
    return model


def check_against_llama_cpp(name, label="p160"):
    """Largest difference to the golden logits of llama.cpp: what shows that the tensors were copied rightly."""
    given = facts(name)
    run = next(run for run in given["runs"] if run["label"] == label)
    where = run["logits"]
    golden = numpy.fromfile(
        FOLDER / given["logits_file"],
        dtype="<f4",
        count=where["rows"] * given["n_vocab"],
        offset=where["offset"],
    )
    with torch.no_grad():
        ours = load(name)(torch.tensor([run["tokens"]])).logits[0, -1].numpy()
    return float(numpy.abs(ours - golden.reshape(-1, given["n_vocab"])[-1]).max())
