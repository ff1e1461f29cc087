#include "engine/model/weights.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace engine {
namespace {

bool isMultiplied(std::uint32_t type)
{
    using kernels::WeightType;
    constexpr std::array kTypes{WeightType::F32, WeightType::F16, WeightType::BF16,
                                WeightType::Q8_0, WeightType::Q4_0};
    return std::ranges::any_of(
        kTypes, [type](WeightType each) { return static_cast<std::uint32_t>(each) == type; });
}

std::string shapeText(const std::vector<std::uint64_t>& shape)
{
    std::string text;
    for (const std::uint64_t extent : shape)
        text += (text.empty() ? "" : " x ") + std::to_string(extent);
    return text;
}

[[noreturn]] void failShape(const GgufFile& file, const GgufTensor& tensor,
                            const std::string& expected)
{
    throw Error(ErrorCode::Damaged, file.name() + " is damaged: the tensor " + tensor.name +
                                        " has the shape " + shapeText(tensor.shape) +
                                        " instead of " + expected + ". Get the file again.");
}

const GgufTensor& tensorOf(const GgufFile& file, const std::string& name)
{
    const GgufTensor* tensor = file.findTensor(name);
    if (tensor == nullptr) {
        throw Error(ErrorCode::Damaged, file.name() + " is damaged: the tensor " + name +
                                            " is missing. Get the file again.");
    }
    return *tensor;
}

kernels::WeightView matrix(const GgufFile& file, const std::string& name, std::size_t rows,
                           std::size_t cols)
{
    const GgufTensor& tensor = tensorOf(file, name);
    if (tensor.shape != std::vector<std::uint64_t>{cols, rows})
        failShape(file, tensor, shapeText({cols, rows}));
    if (!isMultiplied(tensor.type)) {
        throw Error(ErrorCode::Unsupported,
                    file.name() + " stores " + name + " as weight type " +
                        std::to_string(tensor.type) +
                        ", which Epitome cannot multiply with yet. Choose a file of type F32, F16, "
                        "BF16, Q8_0 or Q4_0.");
    }
    return {file.data(tensor).data(), static_cast<kernels::WeightType>(tensor.type), rows, cols};
}

std::vector<float> vector(const GgufFile& file, const std::string& name, std::size_t size)
{
    std::vector<float> values = readVector(file, name);
    if (values.size() != size)
        failShape(file, tensorOf(file, name), std::to_string(size));
    return values;
}

LayerWeights mapLayer(const GgufFile& file, const ModelConfig& config, std::uint32_t index)
{
    const std::string prefix = "blk." + std::to_string(index) + ".";
    const std::size_t queryRows = std::size_t{config.heads} * config.headDim;
    const std::size_t keyRows = std::size_t{config.kvHeads} * config.headDim;

    LayerWeights layer;
    layer.attentionNorm = vector(file, prefix + "attn_norm.weight", config.width);
    layer.query = matrix(file, prefix + "attn_q.weight", queryRows, config.width);
    layer.key = matrix(file, prefix + "attn_k.weight", keyRows, config.width);
    layer.value = matrix(file, prefix + "attn_v.weight", keyRows, config.width);
    layer.output = matrix(file, prefix + "attn_output.weight", config.width, queryRows);
    if (config.qkvBias) {
        layer.queryBias = vector(file, prefix + "attn_q.bias", queryRows);
        layer.keyBias = vector(file, prefix + "attn_k.bias", keyRows);
        layer.valueBias = vector(file, prefix + "attn_v.bias", keyRows);
    }
    layer.ffnNorm = vector(file, prefix + "ffn_norm.weight", config.width);
    layer.gate = matrix(file, prefix + "ffn_gate.weight", config.ffnWidth, config.width);
    layer.up = matrix(file, prefix + "ffn_up.weight", config.ffnWidth, config.width);
    layer.down = matrix(file, prefix + "ffn_down.weight", config.width, config.ffnWidth);
    return layer;
}

} // namespace

std::vector<float> readVector(const GgufFile& file, std::string_view name)
{
    const GgufTensor* tensor = file.findTensor(name);
    if (tensor == nullptr)
        return {};
    if (tensor->shape.size() != 1 ||
        tensor->type != static_cast<std::uint32_t>(kernels::WeightType::F32)) {
        throw Error(ErrorCode::Unsupported, file.name() + " stores " + tensor->name +
                                                " in another form than one row of float32, "
                                                "which Epitome cannot read. Choose another file.");
    }
    std::vector<float> values(tensor->shape[0]);
    std::memcpy(values.data(), file.data(*tensor).data(), values.size() * sizeof(float));
    return values;
}

Weights mapWeights(std::shared_ptr<const GgufFile> file, const ModelConfig& config)
{
    Weights weights;
    weights.file = std::move(file);
    const GgufFile& source = *weights.file;
    weights.embedding = matrix(source, "token_embd.weight", config.vocabularySize, config.width);
    for (std::uint32_t index = 0; index < config.layers; ++index)
        weights.layers.push_back(mapLayer(source, config, index));
    weights.outputNorm = vector(source, "output_norm.weight", config.width);
    weights.output = source.findTensor("output.weight") == nullptr
                         ? weights.embedding
                         : matrix(source, "output.weight", config.vocabularySize, config.width);
    for (const GgufTensor& tensor : source.tensors())
        weights.bytes += tensor.bytes;
    return weights;
}

} // namespace engine
