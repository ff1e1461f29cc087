"""Writes a checkpoint as GGUF (architecture llama), and reads such a file back to train on from it.

    python export.py checkpoint.pt reader.gguf [--type q8_0|f16|f32]

Queries and keys are trained with RoPE over neighbouring elements, as the architecture wants them, so no row is permuted.
"""

import argparse
from pathlib import Path

import gguf
import numpy as np
import torch

import tokens
from model import Reader, Shape

TYPES = {
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
    "f32": (gguf.GGMLQuantizationType.F32, gguf.LlamaFileType.ALL_F32),
}
LAYER_NAMES = {
    "attention_norm": "attn_norm", "attention.q": "attn_q", "attention.k": "attn_k", "attention.v": "attn_v",
    "attention.o": "attn_output", "ffn_norm": "ffn_norm", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}
TEMPLATE = Path(__file__).parent / "reader.jinja"


def names(shape: Shape) -> dict[str, str]:
    """PyTorch's names -> GGUF's."""
    known = {"embedding.weight": "token_embd.weight", "norm.weight": "output_norm.weight"}
    for layer in range(shape.layers):
        for ours, theirs in LAYER_NAMES.items():
            known[f"layers.{layer}.{ours}.weight"] = f"blk.{layer}.{theirs}.weight"
    return known


def write_shape(writer: gguf.GGUFWriter, shape: Shape) -> None:
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_key_length(shape.head_dim)
    writer.add_value_length(shape.head_dim)
    writer.add_rope_dimension_count(shape.head_dim)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.epsilon)
    writer.add_vocab_size(shape.vocabulary)


def write_vocabulary(writer: gguf.GGUFWriter) -> None:
    merges = tokens.read_merges()
    texts = tokens.vocabulary(merges)
    special = len(tokens.SPECIAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(texts)
    writer.add_token_types([gguf.TokenType.CONTROL] * special + [gguf.TokenType.NORMAL] * (len(texts) - special))
    writer.add_token_merges([" ".join(pair) for pair in merges])
    writer.add_bos_token_id(tokens.BEGIN)
    writer.add_eos_token_id(tokens.END)
    writer.add_eot_token_id(tokens.END)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_chat_template(TEMPLATE.read_text(encoding="utf-8"))


def write(
    path: Path, model: Reader, kind: str, description: str, context: int | None = None, name: str = "Epitome reader"
) -> None:
    shape = model.shape
    if context:
        shape.context = context
    quantization, file_type = TYPES[kind]
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_name(name)
    writer.add_description(description)
    writer.add_license("CC0-1.0")
    writer.add_file_type(file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    write_shape(writer, shape)
    write_vocabulary(writer)
    writer.add_tensor("rope_freqs.weight", shape.divisors().numpy().astype(np.float32))
    state = model.state_dict()
    for ours, theirs in names(shape).items():
        values = state[ours].float().numpy()
        chosen = quantization if values.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(theirs, gguf.quants.quantize(values, chosen), raw_dtype=chosen)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def read(path: Path) -> Reader:
    """The model of a file that write() made."""
    file = gguf.GGUFReader(str(path))

    def number(key: str):
        return file.fields["llama." + key].contents()

    divisors = next(t.data for t in file.tensors if t.name == "rope_freqs.weight")
    shape = Shape(
        vocabulary=number("vocab_size"), width=number("embedding_length"), layers=number("block_count"),
        heads=number("attention.head_count"), kv_heads=number("attention.head_count_kv"),
        head_dim=number("attention.key_length"), feed_forward=number("feed_forward_length"),
        rope_base=number("rope.freq_base"), rotated=int((divisors < 2).sum()), context=number("context_length"),
        epsilon=number("attention.layer_norm_rms_epsilon"),
    )
    model = Reader(shape)
    tensors = {t.name: torch.from_numpy(gguf.quants.dequantize(t.data, t.tensor_type).copy()) for t in file.tensors}
    model.load_state_dict({ours: tensors[theirs] for ours, theirs in names(shape).items()})
    return model


def load(path: Path) -> Reader:
    """A checkpoint of train.py or a GGUF file."""
    if path.suffix == ".gguf":
        return read(path)
    state = torch.load(path, weights_only=True, map_location="cpu")
    model = Reader(Shape(**state["shape"]))
    model.load_state_dict(state["model"])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--type", choices=TYPES, default="q8_0")
    parser.add_argument("--context", type=int, help="tokens that the file states as its window")
    parser.add_argument("--description", default="A small reader that answers by quoting the document. See READER.md.")
    options = parser.parse_args()
    write(options.output, load(options.checkpoint), options.type, options.description, options.context)


if __name__ == "__main__":
    main()
