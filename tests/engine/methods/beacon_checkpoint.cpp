#include "tests/engine/methods/beacon_checkpoint.h"

#include "engine/gguf/gguf_writer.h"
#include "kernels/formats/bf16.h"
#include "kernels/formats/f16.h"

#include <algorithm>
#include <fstream>

namespace tests {
namespace {

float rounded(const std::string& type, float value)
{
    if (type == "F16")
        return kernels::decodeF16(kernels::encodeF16(value));
    return type == "BF16" ? kernels::decodeBf16(kernels::encodeBf16(value)) : value;
}

std::vector<std::byte> encoded(const std::string& type, const std::vector<float>& values)
{
    std::vector<std::byte> bytes;
    const auto append = [&bytes](const auto& number) {
        const auto raw = std::as_bytes(std::span(&number, 1));
        bytes.insert(bytes.end(), raw.begin(), raw.end());
    };
    for (const float value : values) {
        if (type == "F32")
            append(value);
        else
            append(type == "F16" ? kernels::encodeF16(value) : kernels::encodeBf16(value));
    }
    return bytes;
}

/// As the conversion to GGUF does it for Llama: a head's rows (2, d/2, cols) become (d/2, 2, cols).
std::vector<float> neighboursPaired(const std::vector<float>& values, std::size_t cols,
                                    std::size_t headDim)
{
    std::vector<float> out;
    for (std::size_t head = 0; head < values.size() / cols / headDim; ++head) {
        for (std::size_t pair = 0; pair < headDim / 2; ++pair) {
            for (std::size_t half = 0; half < 2; ++half) {
                const std::size_t row = head * headDim + half * headDim / 2 + pair;
                const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * cols);
                out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(cols));
            }
        }
    }
    return out;
}

std::vector<std::string> byteTokens()
{
    std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
    constexpr std::string_view kHex = "0123456789ABCDEF";
    for (std::size_t byte = 0; byte < 256; ++byte)
        tokens.push_back(std::string("<0x") + kHex[byte / 16] + kHex[byte % 16] + ">");
    return tokens;
}

void writeTokenizer(engine::GgufWriter& writer)
{
    const std::vector<std::string> tokens = byteTokens();
    std::vector<std::int32_t> types(tokens.size(), 6);
    types[0] = 2;
    types[1] = types[2] = 3;
    writer.setString("tokenizer.ggml.model", "llama");
    writer.setStrings("tokenizer.ggml.tokens", tokens);
    writer.setInts("tokenizer.ggml.token_type", types);
    writer.setFloats("tokenizer.ggml.scores", std::vector<float>(tokens.size()));
    writer.setUint32("tokenizer.ggml.bos_token_id", 1);
    writer.setUint32("tokenizer.ggml.eos_token_id", 2);
    writer.setBool("tokenizer.ggml.add_bos_token", true);
}

} // namespace

BeaconCheckpoint::BeaconCheckpoint(const BeaconSpec& spec)
    : m_spec(spec)
{
    add("model.embed_tokens.weight", {kVocabulary, kWidth}, 1.0F);
    for (std::uint32_t layer = 0; layer < kLayers; ++layer)
        addLayer("model.layers." + std::to_string(layer) + ".");
    add("model.norm.weight", {kWidth}, 0.1F);
    add("lm_head.weight", {kVocabulary, kWidth}, 0.2F);
    addBeacons();
}

/// Uniform in (-scale, scale); norms lie around 1.
void BeaconCheckpoint::add(const std::string& name, std::vector<std::uint64_t> shape, float scale)
{
    std::size_t count = 1;
    for (const std::uint64_t extent : shape)
        count *= extent;
    const bool norm = name.find("norm") != std::string::npos;
    std::vector<float> values(count);
    for (float& value : values) {
        m_state = m_state * 1664525U + 1013904223U;
        const float unit = static_cast<float>(m_state >> 8U) / 8388608.0F - 1.0F;
        value = rounded(typeOf(name), unit * scale + (norm ? 1.0F : 0.0F));
    }
    m_tensors[name] = std::move(values);
    m_shapes[name] = std::move(shape);
}

void BeaconCheckpoint::addLayer(const std::string& prefix)
{
    const std::uint64_t queryRows = kHeads * kHeadDim;
    const std::uint64_t keyRows = kKvHeads * kHeadDim;
    add(prefix + "input_layernorm.weight", {kWidth}, 0.1F);
    add(prefix + "post_attention_layernorm.weight", {kWidth}, 0.1F);
    add(prefix + "self_attn.q_proj.weight", {queryRows, kWidth}, 0.2F);
    add(prefix + "self_attn.k_proj.weight", {keyRows, kWidth}, 0.2F);
    add(prefix + "self_attn.v_proj.weight", {keyRows, kWidth}, 0.2F);
    add(prefix + "self_attn.o_proj.weight", {kWidth, queryRows}, 0.2F);
    if (m_spec.biases) {
        add(prefix + "self_attn.q_proj.bias", {queryRows}, 0.5F);
        add(prefix + "self_attn.k_proj.bias", {keyRows}, 0.5F);
        add(prefix + "self_attn.v_proj.bias", {keyRows}, 0.5F);
    }
    add(prefix + "mlp.gate_proj.weight", {kFfn, kWidth}, 0.2F);
    add(prefix + "mlp.up_proj.weight", {kFfn, kWidth}, 0.2F);
    add(prefix + "mlp.down_proj.weight", {kWidth, kFfn}, 0.2F);
}

void BeaconCheckpoint::addBeacons()
{
    add("model.beacon_embed_tokens.weight", {1, kWidth}, 1.0F);
    if (m_spec.copies) {
        const auto& table = m_tensors["model.embed_tokens.weight"];
        std::copy_n(table.begin() + kEnd * kWidth, kWidth,
                    m_tensors["model.beacon_embed_tokens.weight"].begin());
    }
    for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
        const std::string prefix = "model.layers." + std::to_string(layer) + ".self_attn.";
        for (const char letter : m_spec.projections) {
            for (const char* part : {".weight", ".bias"}) {
                const std::string own = prefix + letter + "_proj" + part;
                if (!has(own))
                    continue;
                const std::string beacon = prefix + "beacon_" + letter + "_proj" + part;
                add(beacon, m_shapes.at(own), 0.2F);
                if (m_spec.copies)
                    m_tensors[beacon] = m_tensors[own];
            }
        }
    }
}

std::string BeaconCheckpoint::typeOf(const std::string& name) const
{
    return name.find("beacon") == std::string::npos ? "F32" : m_spec.type;
}

void BeaconCheckpoint::writeModel(const std::filesystem::path& path) const
{
    const std::string architecture = m_spec.biases ? "qwen2" : "llama";
    const std::string prefix = architecture + ".";
    engine::GgufWriter out;
    out.setString("general.architecture", architecture);
    out.setString("general.name", "Synthetic");
    out.setUint32(prefix + "block_count", kLayers);
    out.setUint32(prefix + "embedding_length", kWidth);
    out.setUint32(prefix + "feed_forward_length", kFfn);
    out.setUint32(prefix + "attention.head_count", kHeads);
    out.setUint32(prefix + "attention.head_count_kv", kKvHeads);
    out.setUint32(prefix + "context_length", m_spec.contextLength);
    out.setFloat32(prefix + "attention.layer_norm_rms_epsilon", 1e-5F);
    out.setFloat32(prefix + "rope.freq_base", 10000.0F);
    writeTokenizer(out);
    const auto put = [&](const std::string& name, const std::string& from) {
        std::vector<std::uint64_t> shape = m_shapes.at(from);
        std::vector<float> values = tensor(from);
        const bool turned =
            from.find(".q_proj") != std::string::npos || from.find(".k_proj") != std::string::npos;
        if (turned && !m_spec.biases)
            values = neighboursPaired(values, kWidth, kHeadDim);
        std::ranges::reverse(shape);
        out.addTensor(name, shape, 0, std::as_bytes(std::span(values)));
    };
    put("token_embd.weight", "model.embed_tokens.weight");
    put("output_norm.weight", "model.norm.weight");
    put("output.weight", "lm_head.weight");
    for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
        const std::string to = "blk." + std::to_string(layer) + ".";
        const std::string from = "model.layers." + std::to_string(layer) + ".";
        put(to + "attn_norm.weight", from + "input_layernorm.weight");
        put(to + "ffn_norm.weight", from + "post_attention_layernorm.weight");
        put(to + "attn_output.weight", from + "self_attn.o_proj.weight");
        for (const char* letter : {"q", "k", "v"}) {
            const std::string projection = from + "self_attn." + letter + "_proj";
            put(to + "attn_" + letter + ".weight", projection + ".weight");
            if (m_spec.biases)
                put(to + "attn_" + letter + ".bias", projection + ".bias");
        }
        for (const char* part : {"gate", "up", "down"})
            put(to + "ffn_" + part + ".weight", from + "mlp." + part + "_proj.weight");
    }
    out.write(path);
}

std::string BeaconCheckpoint::config() const
{
    std::string letters;
    for (const char letter : m_spec.projections)
        letters += (letters.empty() ? "\"" : ", \"") + std::string(1, letter) + "\"";
    return R"({"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
  "num_key_value_heads": 2, "beacon_pos": "interleave", "beacon_attn": "full-coverage",
  "beacon_attend_prev": true, "beacon_parallel_window": 1, "beacon_ratio_mix": "step-random",
  "beacon_window": )" +
           std::to_string(m_spec.window) + R"(, "beacon_stride": )" +
           std::to_string(m_spec.window) + R"(, "beacon_sink_size": )" +
           std::to_string(m_spec.sinks) + R"(, "beacon_ratio": )" + m_spec.ratios +
           R"(, "beacon_param": [)" + letters + "]}\n";
}

engine::SafetensorsWriter BeaconCheckpoint::writer(const std::vector<std::string>& without) const
{
    engine::SafetensorsWriter out;
    for (const auto& [name, values] : m_tensors) {
        if (std::ranges::find(without, name) == without.end())
            out.addTensor(name, typeOf(name), m_shapes.at(name), encoded(typeOf(name), values));
    }
    return out;
}

void BeaconCheckpoint::writeFolder(const std::filesystem::path& folder) const
{
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "config.json") << config();
    writer().write(folder / "model.safetensors");
}

} // namespace tests
