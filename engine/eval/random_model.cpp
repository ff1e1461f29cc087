#include "engine/eval/random_model.h"

#include "kernels/formats/f16.h"

#include <cstring>

namespace engine {
namespace {

constexpr std::size_t kBlockBytes = 34; // Q8_0: a float16 scale and 32 bytes
constexpr std::size_t kBlockElements = 32;

} // namespace

ModelConfig oneBillionShape()
{
    ModelConfig config;
    config.architecture = "llama";
    config.name = "random weights, 1B shape";
    config.layers = 16;
    config.width = 2048;
    config.heads = 32;
    config.kvHeads = 8;
    config.headDim = 64;
    config.ffnWidth = 8192;
    config.vocabularySize = 32768;
    config.contextLength = 131072;
    config.pairing = kernels::cpu::RopePairing::Interleaved;
    config.rope.rotaryDims = config.headDim;
    config.rope.base = 500000.0;
    config.rope.contextLength = config.contextLength;
    config.rope.originalContext = config.contextLength;
    config.rope.plannedLength = config.contextLength;
    return config;
}

RandomModel::RandomModel(ModelConfig config)
    : m_config(std::move(config))
{
    const std::size_t width = m_config.width;
    const std::size_t queryRows = std::size_t{m_config.heads} * m_config.headDim;
    const std::size_t keyRows = std::size_t{m_config.kvHeads} * m_config.headDim;
    const std::vector<float> ones(width, 1.0F);
    m_weights.outputNorm = ones;
    for (std::uint32_t index = 0; index < m_config.layers; ++index) {
        LayerWeights layer;
        layer.attentionNorm = ones;
        layer.ffnNorm = ones;
        layer.query = matrix(queryRows, width);
        layer.key = matrix(keyRows, width);
        layer.value = matrix(keyRows, width);
        layer.output = matrix(width, queryRows); // NOLINT(readability-suspicious-call-argument)
        layer.gate = matrix(m_config.ffnWidth, width);
        layer.up = matrix(m_config.ffnWidth, width);
        layer.down = matrix(width, m_config.ffnWidth);
        m_weights.layers.push_back(std::move(layer));
    }
    m_weights.output = matrix(m_config.vocabularySize, width);
    m_weights.embedding = m_weights.output;
}

kernels::WeightView RandomModel::matrix(std::size_t rows, std::size_t cols)
{
    const std::size_t blocks = rows * cols / kBlockElements;
    std::vector<std::byte> bytes(blocks * kBlockBytes);
    // Small weights keep the residual stream finite through all layers.
    const std::uint16_t scale = kernels::encodeF16(1.0F / 8192.0F);
    for (std::size_t block = 0; block < blocks; ++block) {
        std::byte* out = &bytes[block * kBlockBytes];
        std::memcpy(out, &scale, sizeof(scale));
        for (std::size_t i = 2; i < kBlockBytes; i += 4) {
            m_state = m_state * 1664525U + 1013904223U;
            std::memcpy(out + i, &m_state, 4);
        }
    }
    m_weights.bytes += bytes.size();
    m_storage.push_back(std::move(bytes));
    return {m_storage.back().data(), kernels::WeightType::Q8_0, rows, cols};
}

} // namespace engine
