// PoD's checks P3 and P5 of structural.md 5.8: the weights of the merged parts, and the scores of
// distant tokens within a block of layers.

#include "engine/eval/random_model.h"
#include "engine/methods/shared_keys.h"
#include "engine/run/transformer.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>
#include <random>

namespace {

using namespace engine;
using kernels::KvType;

constexpr KvShape kShape{.layers = 4, .kvHeads = 2, .headDim = 32};
constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kRows = 150;

/// Blocks of four layers, so that layer 0 owns all distant keys.
const SharedKeys& sharing()
{
    static const SharedKeys kKeys{fixedGroups(kShape.layers, kShape.kvHeads, 4), 8, 32, true};
    return kKeys;
}

std::vector<float> randomFloats(std::size_t count, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0F, 2.0F);
    std::vector<float> values(count);
    for (float& each : values)
        each = normal(random);
    return values;
}

/// The raw logits of the last row with the distant tokens, layer by layer.
class DistantLogits final : public Hooks
{
public:
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        addSharedKeySegments(sharing(), step, segments);
    }
    bool keepsQuery(const LayerStep& step) const override { return sharing().lends(step.layer); }
    bool needsLse(const LayerStep& /*step*/) const override { return true; }
    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        kernels::ScoreSpec spec;
        spec.scored = {sharing().sinks,
                       step.store->list(step.layer, 0).length() - sharing().recent};
        spec.normaliser = kernels::Normaliser::None;
        spec.rows = kernels::RowReduction::Last;
        spec.heads = kernels::HeadReduction::Max;
        const std::size_t parts = scorer.segments().size();
        logits.push_back(parts == 1 ? scorer.run(spec) : scorer.runOn(parts - 1, spec));
        own.push_back(scorer.run(spec));
    }
    std::vector<std::vector<float>> logits;
    std::vector<std::vector<float>> own; // with the layer's own queries and keys
};

} // namespace

TEST_CASE("P3: the shares of near and distant parts lie between 0 and 1 and add up to 1")
{
    const auto backend = makeCpuBackend(1, kernels::cpu::Activations::F32);
    KvStore store(kShape, KvType::F32);
    std::vector<std::int32_t> positions(kRows);
    std::iota(positions.begin(), positions.end(), 0);
    std::vector<std::uint32_t> rows(kRows);
    std::iota(rows.begin(), rows.end(), store.appendRows(positions, Role::Document));
    const std::size_t floats = std::size_t{kRows} * kShape.kvHeads * kShape.headDim;
    const std::vector<float> ones(floats, 1.0F);
    for (std::uint32_t layer = 0; layer < kShape.layers; ++layer)
        store.appendKv(layer, randomFloats(floats, layer), ones, rows, *backend);

    LayerStep step;
    step.layer = 2;
    step.layers = kShape.layers;
    step.rows = std::span(rows).last(1);
    step.positions = std::span(positions).last(1);
    step.store = &store;
    std::vector<Segment> segments;
    addSharedKeySegments(sharing(), step, segments);
    REQUIRE(segments.size() == 3);

    const kernels::AttentionShape shape{1, kHeads, kShape.kvHeads, kShape.headDim, 0.25F};
    const std::vector<float> query = randomFloats(std::size_t{kHeads} * kShape.headDim, 9);
    std::vector<float> out;
    std::vector<float> lse;
    std::vector<std::vector<float>> parts; // LSE
    const std::vector<std::uint32_t> own(kShape.kvHeads, step.layer);
    for (const Segment& segment : segments) {
        KvStore::LayerViews views;
        store.views(segment.keyLayers.empty() ? own : segment.keyLayers, own, views);
        std::vector<float> partOut(query.size());
        std::vector<float> partLse(kHeads);
        backend->attention(partOut, partLse, query, views.lists, segment.visible, shape);
        for (const float each : partOut)
            CHECK(each == doctest::Approx(1.0F).epsilon(1e-6));
        parts.push_back(partLse);
        if (out.empty()) {
            out = partOut;
            lse = partLse;
        } else {
            backend->mergeAttention(out, lse, partOut, partLse, kShape.headDim);
        }
    }
    for (const float each : out)
        CHECK(each == doctest::Approx(1.0F).epsilon(1e-6));
    for (std::uint32_t head = 0; head < kHeads; ++head) {
        double sum = 0;
        for (const std::vector<float>& part : parts) {
            const double share = std::exp(static_cast<double>(part[head] - lse[head]));
            CHECK(share > 0);
            CHECK(share < 1);
            sum += share;
        }
        CHECK(sum == doctest::Approx(1).epsilon(1e-5));
    }
}

TEST_CASE("P5: all layers of a block give distant tokens the same logits, so the same LSE")
{
    ModelConfig config = oneBillionShape();
    config.layers = kShape.layers;
    config.width = 128;
    config.heads = kHeads;
    config.kvHeads = kShape.kvHeads;
    config.headDim = kShape.headDim;
    config.ffnWidth = 192;
    config.vocabularySize = 256;
    config.rope.rotaryDims = kShape.headDim;
    const RandomModel model(config);
    const auto backend = makeCpuBackend(2, kernels::cpu::Activations::F32);
    Transformer transformer(model.config(), model.weights(), *backend);
    KvStore store(kShape, KvType::F32);
    Job job;
    for (std::uint32_t i = 0; i < kRows; ++i) {
        job.tokens.push_back(static_cast<std::int32_t>((i * 37 + 11) % 251));
        job.positions.push_back(static_cast<std::int32_t>(i));
    }
    job.logits = LogitRows::Last;
    DistantLogits hooks;
    transformer.run(std::move(job), store, hooks);
    REQUIRE(hooks.logits.size() == kShape.layers);
    for (std::uint32_t layer = 1; layer < kShape.layers; ++layer) {
        CHECK(hooks.logits[layer] == hooks.logits[0]);
        CHECK(hooks.own[layer] != hooks.own[0]); // what it has itself is something else
    }
}
