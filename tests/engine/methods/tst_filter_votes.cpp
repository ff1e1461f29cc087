// GemFilter's votes by the published figures (selection.md 6.2) and on a model of 32 layers with
// random weights: what they are, what they cost in memory, and the layer chosen by trial.

#include "engine/eval/random_model.h"
#include "engine/methods/filter_layer.h"
#include "engine/methods/filter_votes.h"
#include "engine/methods/method.h"
#include "engine/run/transformer.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>

namespace {

using namespace engine;

/// 32 small layers with random weights.
ModelConfig manyLayers()
{
    ModelConfig config = oneBillionShape();
    config.layers = 32;
    config.width = 64;
    config.heads = 4;
    config.kvHeads = 2;
    config.headDim = 32;
    config.ffnWidth = 64;
    config.vocabularySize = 256;
    config.rope.rotaryDims = 32;
    return config;
}

struct Random
{
    RandomModel model{manyLayers()};
    std::unique_ptr<Backend> backend = makeCpuBackend(2, kernels::cpu::Activations::Int8);
    Transformer transformer{model.config(), model.weights(), *backend};

    DocumentPlan plan(std::uint32_t tokens, const std::string& method,
                      const std::map<std::string, double>& settings)
    {
        const ModelConfig& config = model.config();
        DocumentPlan plan;
        plan.prefix = {1, 2, 3};
        for (std::uint32_t i = 0; i < tokens; ++i)
            plan.document.push_back(static_cast<std::int32_t>(i * 2654435761U % 256));
        plan.layers = config.layers;
        plan.kvHeads = config.kvHeads;
        plan.headDim = config.headDim;
        plan.vocabularySize = config.vocabularySize;
        plan.contextLength = config.contextLength;
        plan.settings = completeSettings(findMethod(method).info, settings);
        plan.turn = [](const std::string&) { return std::vector<std::int32_t>{4, 5, 6, 7}; };
        plan.run = [this](Job job, KvStore& store, Hooks& hooks) {
            return transformer.run(std::move(job), store, hooks);
        };
        return plan;
    }

    KvStore read(const DocumentPlan& plan, const std::string& method)
    {
        KvStore store({plan.layers, plan.kvHeads, plan.headDim}, KvType::F16);
        const auto object = findMethod(method).make(plan);
        while (auto job = object->nextJob(store)) {
            transformer.run(*job, store, *object);
            object->onJobEnd(*job, store);
        }
        return store;
    }
};

} // namespace

TEST_CASE("golden 6.2: votes, pooling and the chosen tokens")
{
    constexpr std::size_t kHeads = 4, kKvHeads = 2, kTokens = 24, kDim = 8;
    const auto tensor = [](std::uint32_t seed, std::size_t heads, float factor) {
        std::vector<float> values(heads * kTokens * kDim);
        for (float& each : values) {
            seed = seed * 1664525U + 1013904223U;
            each = factor * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
        }
        return values;
    };
    const auto q = tensor(11, kHeads, 3);
    const auto k = tensor(22, kKvHeads, 1);
    std::vector<float> votes(kTokens);
    for (std::size_t head = 0; head < kHeads; ++head) {
        for (std::size_t j = 0; j < kTokens; ++j) {
            for (std::size_t c = 0; c < kDim; ++c)
                votes[j] += q[(head * kTokens + kTokens - 1) * kDim + c] *
                            k[(head / 2 * kTokens + j) * kDim + c];
        }
    }
    const std::vector<float> expected{-9.996087F, -6.021196F, 2.678248F, 3.667217F};
    for (std::size_t j = 0; j < expected.size(); ++j)
        CHECK(votes[j] == doctest::Approx(expected[j]).epsilon(1e-5));
    using List = std::vector<std::uint32_t>;
    CHECK(filterTokens(votes, {0, kTokens}, 8, 5) == List{8, 9, 11, 19, 20, 21, 22, 23});
    CHECK(filterTokens(votes, {0, kTokens}, 8, 1) == List{7, 9, 10, 17, 18, 20, 21, 22});
    // What stays anyway takes part in the pooling only.
    CHECK(filterTokens(votes, {9, 20}, 2, 5) == List{9, 19});
    votes[9] = std::numeric_limits<float>::quiet_NaN();
    CHECK(filterTokens(votes, {0, kTokens}, 2, 1) == List{7, 18});
}

TEST_CASE("the votes of a model's last row are the plain sums of its dot products")
{
    class Recorder final : public Hooks
    {
    public:
        void onAttention(const LayerStep& step, Scorer& scorer) override
        {
            if (step.layer == 3) {
                kernels::ScoreSpec spec;
                spec.scored = {0, step.store->list(3, 0).length()};
                spec.normaliser = kernels::Normaliser::None;
                spec.rows = kernels::RowReduction::Last;
                spec.heads = kernels::HeadReduction::Mean;
                means = scorer.run(spec);
                votes = filterVotes(step, scorer);
            }
        }
        std::vector<float> means;
        std::vector<float> votes;
    };
    Random random;
    KvStore store({32, 2, 32}, KvType::F32);
    Job job;
    job.tokens = {9, 8, 7, 6, 5, 4, 3};
    job.positions = {0, 1, 2, 3, 4, 5, 6};
    job.layerEnd = 4;
    job.wantsHidden = false;
    Recorder recorder;
    CHECK(random.transformer.run(job, store, recorder).hidden.empty());
    REQUIRE(recorder.votes.size() == 7);
    for (std::size_t j = 0; j < 7; ++j) {
        const float sum = 2 * (recorder.means[j] + recorder.means[7 + j]) * std::sqrt(32.0F);
        CHECK(recorder.votes[j] == doctest::Approx(sum).epsilon(1e-5));
    }
    CHECK(store.list(3, 0).length() == 7);
    CHECK(store.list(4, 0).length() == 0);
}

TEST_CASE("13 of 32 layers: the state has at most 45 % of the bytes of a dense one")
{
    Random random;
    const KvStore dense = random.read(random.plan(1024, "full", {}), "full");
    const KvStore filtered =
        random.read(random.plan(1024, "gemfilter", {{"layer", 13}}), "gemfilter");
    const double share = static_cast<double>(filtered.bytes()) / static_cast<double>(dense.bytes());
    MESSAGE("state bytes: ", filtered.bytes(), " of ", dense.bytes(), ", ", share * 100, " %");
    CHECK(share <= 0.45);
    // Keys and values of 14 of 32 layers, to a page.
    CHECK(share == doctest::Approx(14.0 / 32).epsilon(0.01));
    for (std::uint32_t layer = 0; layer < 32; ++layer)
        CHECK(filtered.list(layer, 0).length() == (layer <= 13 ? 1027U : 0U));
}

TEST_CASE("the layer chosen by trial is the one that changes least, and the same every time")
{
    Random random;
    const DocumentPlan plan = random.plan(420, "gemfilter", {});
    const FilterLayer chosen = chooseFilterLayer(plan);
    CHECK(chosen.layer >= 8);
    CHECK(chosen.layer <= 24);
    CHECK(chosen.agreement >= 0);
    CHECK(chosen.agreement <= 1);
    const FilterLayer again = chooseFilterLayer(plan);
    CHECK(again.layer == chosen.layer);
    CHECK(again.agreement == chosen.agreement);
}
