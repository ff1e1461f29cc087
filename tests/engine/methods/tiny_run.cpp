#include "tests/engine/methods/tiny_run.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace tests {
namespace {

using namespace engine;

constexpr std::uint32_t kWidth = 64;
constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kKvHeads = 2;
constexpr std::uint32_t kHeadDim = 32;

ModelConfig tinyConfig()
{
    ModelConfig config;
    config.layers = 2;
    config.width = kWidth;
    config.heads = kHeads;
    config.kvHeads = kKvHeads;
    config.headDim = kHeadDim;
    config.ffnWidth = 96;
    config.vocabularySize = TinyRun::kVocabulary;
    config.contextLength = 4096;
    config.rope.rotaryDims = kHeadDim;
    config.rope.contextLength = config.contextLength;
    config.rope.originalContext = config.contextLength;
    config.rope.plannedLength = config.contextLength;
    return config;
}

class Numbers
{
public:
    explicit Numbers(std::uint32_t seed)
        : m_state(seed)
    {}
    std::uint32_t bits()
    {
        m_state = m_state * 1664525U + 1013904223U;
        return m_state >> 8U;
    }
    float next() { return static_cast<float>(bits()) / 8388608.0F - 1.0F; }

private:
    std::uint32_t m_state;
};

} // namespace

TinyRun::TinyRun(bool swapped)
    : m_config(tinyConfig())
    , m_backend(makeCpuBackend(1, kernels::cpu::Activations::F32))
    , m_norms(*m_backend, m_weights, m_config)
{
    const std::vector<float> ones(kWidth, 1.0F);
    for (std::uint32_t index = 0; index < m_config.layers; ++index) {
        LayerWeights layer;
        const std::uint32_t seed = 100 * (index + 1);
        layer.attentionNorm = ones;
        layer.ffnNorm = ones;
        layer.query = matrix(std::size_t{kHeads} * kHeadDim, kWidth, seed);
        layer.key = matrix(std::size_t{kKvHeads} * kHeadDim, kWidth, seed + 1);
        layer.value = matrix(std::size_t{kKvHeads} * kHeadDim, kWidth, seed + 2);
        layer.output = matrix(kWidth, std::size_t{kHeads} * kHeadDim, seed + 3);
        if (swapped)
            swapGroups(layer);
        layer.gate = matrix(m_config.ffnWidth, kWidth, seed + 4);
        layer.up = matrix(m_config.ffnWidth, kWidth, seed + 5);
        layer.down = matrix(kWidth, m_config.ffnWidth, seed + 6);
        m_weights.layers.push_back(std::move(layer));
    }
    m_weights.outputNorm = ones;
    m_weights.embedding = matrix(kVocabulary, kWidth, 7);
    m_weights.output = m_weights.embedding;
    m_transformer = std::make_unique<Transformer>(m_config, m_weights, *m_backend);
}

kernels::WeightView TinyRun::matrix(std::size_t rows, std::size_t cols, std::uint32_t seed)
{
    Numbers numbers(seed);
    std::vector<float> values(rows * cols);
    for (float& each : values)
        each = 2 * numbers.next() / std::sqrt(static_cast<float>(cols));
    m_storage.push_back(std::move(values));
    return {std::as_bytes(std::span(m_storage.back())).data(), kernels::WeightType::F32, rows,
            cols};
}

void TinyRun::swapGroups(LayerWeights& layer)
{
    std::vector<float>& query = m_storage[m_storage.size() - 4];
    std::vector<float>& output = m_storage.back();
    const std::size_t block = std::size_t{kHeadDim} * kWidth;
    for (std::size_t head = 0; head < kHeads; head += 2) {
        const auto first = query.begin() + static_cast<std::ptrdiff_t>(head * block);
        const auto second = first + static_cast<std::ptrdiff_t>(block);
        std::swap_ranges(first, second, second);
        for (std::size_t row = 0; row < kWidth; ++row) {
            float* columns = &output[(row * kHeads + head) * kHeadDim];
            std::swap_ranges(columns, columns + kHeadDim, columns + kHeadDim);
        }
    }
    layer.query.data = std::as_bytes(std::span(query)).data();
    layer.output.data = std::as_bytes(std::span(output)).data();
}

std::span<float> TinyRun::embedding(std::int32_t token)
{
    return std::span(m_storage.back()).subspan(static_cast<std::size_t>(token) * kWidth, kWidth);
}

DocumentPlan TinyRun::plan(const std::string& method, double keep,
                           const std::map<std::string, double>& settings)
{
    DocumentPlan plan;
    Numbers numbers(5);
    plan.prefix = {1, 2};
    for (std::uint32_t i = 0; i < kTokens; ++i)
        plan.document.push_back(static_cast<std::int32_t>(numbers.bits() % (kVocabulary - 1)));
    plan.layers = m_config.layers;
    plan.kvHeads = kKvHeads;
    plan.headDim = kHeadDim;
    plan.contextLength = m_config.contextLength;
    plan.blockRows = 128;
    plan.keep = keep;
    plan.settings = completeSettings(findMethod(method).info, settings);
    plan.turn = [](const std::string& /*instruction*/) {
        return std::vector<std::int32_t>{3, 4, 5};
    };
    plan.text = [](std::uint32_t /*begin*/, std::uint32_t /*end*/) { return std::string("x"); };
    plan.rotate = [this](std::span<float> keys, std::span<const std::int32_t> deltas) {
        m_backend->rope(keys, deltas, m_transformer->ropeTable().frequencies, 1, kHeadDim,
                        m_config.pairing, 1.0F);
    };
    plan.projectedNorms = [this](std::uint32_t layer, std::uint32_t kvHead,
                                 std::span<const float> values) {
        return m_norms.of(layer, kvHead, values);
    };
    return plan;
}

KvStore TinyRun::apply(const std::string& method, const DocumentPlan& plan,
                       std::vector<std::string>* warnings)
{
    KvStore store({m_config.layers, kKvHeads, kHeadDim}, kernels::KvType::F32);
    const auto object = findMethod(method).make(plan);
    while (const auto job = object->nextJob(store)) {
        m_transformer->run(*job, store, *object);
        object->onJobEnd(*job, store);
    }
    if (warnings != nullptr)
        *warnings = object->warnings();
    return store;
}

KeptRows keptRows(const KvStore& store)
{
    KeptRows kept(store.shape().layers);
    for (std::uint32_t layer = 0; layer < store.shape().layers; ++layer) {
        for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
            const KvList& list = store.list(layer, head);
            auto& rows = kept[layer].emplace_back();
            for (std::uint32_t entry = 0; entry < list.length(); ++entry)
                rows.push_back(list.row(entry));
        }
    }
    return kept;
}

} // namespace tests
