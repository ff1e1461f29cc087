#include "engine/eval/random_model_file.h"

#include "engine/error.h"
#include "engine/gguf/gguf_file.h"
#include "engine/gguf/gguf_writer.h"

#include <cstdlib>
#include <string>

namespace engine {
namespace {

constexpr std::uint32_t kFloat32 = 0; // GGUF's tensor type numbers
constexpr std::uint32_t kQ8_0 = 8;

void copyTokenizer(const GgufFile& from, GgufWriter& writer)
{
    for (const auto& [key, value] : from.metadata()) {
        if (!key.starts_with("tokenizer.ggml."))
            continue;
        if (const auto* text = std::get_if<std::string>(&value)) {
            writer.setString(key, *text);
        } else if (const auto* flag = std::get_if<bool>(&value)) {
            writer.setBool(key, *flag);
        } else if (const auto* number = std::get_if<std::uint64_t>(&value)) {
            writer.setUint32(key, static_cast<std::uint32_t>(*number));
        } else if (const auto* array = std::get_if<GgufArray>(&value)) {
            if (const auto* texts = std::get_if<std::vector<std::string>>(&array->values)) {
                writer.setStrings(key, *texts);
            } else if (const auto* whole = std::get_if<std::vector<std::int64_t>>(&array->values)) {
                writer.setInts(key, std::vector<std::int32_t>(whole->begin(), whole->end()));
            } else if (const auto* real = std::get_if<std::vector<double>>(&array->values)) {
                writer.setFloats(key, std::vector<float>(real->begin(), real->end()));
            }
        }
    }
}

void writeShape(GgufWriter& writer, const ModelConfig& config)
{
    writer.setString("general.architecture", "llama");
    writer.setString("general.name", config.name);
    const auto count = [&](const char* key, std::uint32_t value) {
        writer.setUint32(std::string("llama.") + key, value);
    };
    count("context_length", config.contextLength);
    count("embedding_length", config.width);
    count("block_count", config.layers);
    count("feed_forward_length", config.ffnWidth);
    count("attention.head_count", config.heads);
    count("attention.head_count_kv", config.kvHeads);
    count("attention.key_length", config.headDim);
    count("attention.value_length", config.headDim);
    count("rope.dimension_count", config.headDim);
    count("vocab_size", config.vocabularySize);
    writer.setFloat32("llama.rope.freq_base", static_cast<float>(config.rope.base));
    writer.setFloat32("llama.attention.layer_norm_rms_epsilon", config.normEpsilon);
}

void writeVector(GgufWriter& writer, const std::string& name, std::span<const float> values)
{
    writer.addTensor(name, {values.size()}, kFloat32, std::as_bytes(values));
}

void writeMatrix(GgufWriter& writer, const std::string& name, const kernels::WeightView& view)
{
    const kernels::BlockShape block = kernels::blockShape(view.type);
    const std::size_t bytes = view.rows * view.cols / block.elements * block.bytes;
    writer.addTensor(name, {view.cols, view.rows}, kQ8_0,
                     {static_cast<const std::byte*>(view.data), bytes});
}

void writeWeights(GgufWriter& writer, const Weights& weights)
{
    writeMatrix(writer, "token_embd.weight", weights.embedding);
    writeVector(writer, "output_norm.weight", weights.outputNorm);
    for (std::size_t index = 0; index < weights.layers.size(); ++index) {
        const LayerWeights& layer = weights.layers[index];
        const std::string name = "blk." + std::to_string(index) + ".";
        writeVector(writer, name + "attn_norm.weight", layer.attentionNorm);
        writeVector(writer, name + "ffn_norm.weight", layer.ffnNorm);
        writeMatrix(writer, name + "attn_q.weight", layer.query);
        writeMatrix(writer, name + "attn_k.weight", layer.key);
        writeMatrix(writer, name + "attn_v.weight", layer.value);
        writeMatrix(writer, name + "attn_output.weight", layer.output);
        writeMatrix(writer, name + "ffn_gate.weight", layer.gate);
        writeMatrix(writer, name + "ffn_up.weight", layer.up);
        writeMatrix(writer, name + "ffn_down.weight", layer.down);
    }
}

std::filesystem::path newFolder()
{
    std::string name = (std::filesystem::temp_directory_path() / "epitome-bench-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) {
        throw Error(ErrorCode::DiskFull,
                    "The folder for temporary files cannot be written. Free some space there, or "
                    "set TMPDIR to another folder.");
    }
    return name;
}

} // namespace

ModelConfig smallShape()
{
    ModelConfig config = oneBillionShape();
    config.name = "random weights, 8 layers of the 135M shape";
    config.layers = 8;
    config.width = 576;
    config.heads = 9;
    config.kvHeads = 3;
    config.headDim = 64;
    config.ffnWidth = 1536;
    return config;
}

ModelConfig largeShape()
{
    ModelConfig config = oneBillionShape();
    config.name = "random weights, 4 layers of the 1B shape";
    config.layers = 4;
    return config;
}

RandomModelFile::RandomModelFile(ModelConfig config, const std::filesystem::path& tokenizerFrom)
    : m_folder(newFolder())
{
    const auto tokenizer = GgufFile::open(tokenizerFrom);
    const GgufArray* tokens = tokenizer->findArray("tokenizer.ggml.tokens");
    if (tokens == nullptr) {
        throw Error(ErrorCode::Damaged,
                    tokenizerFrom.string() + " has no tokenizer. Choose another model file.");
    }
    config.vocabularySize =
        static_cast<std::uint32_t>(std::get<std::vector<std::string>>(tokens->values).size());
    const RandomModel model(std::move(config));
    GgufWriter writer;
    writeShape(writer, model.config());
    copyTokenizer(*tokenizer, writer);
    writeWeights(writer, model.weights());
    writer.write(path());
}

RandomModelFile::~RandomModelFile()
{
    std::error_code ignored;
    std::filesystem::remove_all(m_folder, ignored);
}

} // namespace engine
