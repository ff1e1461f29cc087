// Rows of one job that use different embeddings and projections (structural.md 7.6 K7).

#include "engine/eval/random_model.h"
#include "engine/run/transformer.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;
using kernels::KvType;

constexpr std::uint32_t kVocabulary = 64;
constexpr std::int32_t kCopied = 5; // the token whose embedding the extra set has

ModelConfig smallShape()
{
    ModelConfig config = oneBillionShape();
    config.layers = 3;
    config.width = 64;
    config.heads = 4;
    config.kvHeads = 2;
    config.headDim = 32;
    config.ffnWidth = 96;
    config.vocabularySize = kVocabulary;
    config.rope.rotaryDims = 32;
    return config;
}

/// The projections of `layers` and the embedding of one token, as a weight set.
WeightSet setOf(const Weights& model, const std::vector<LayerWeights>& layers)
{
    WeightSet set;
    set.embedding = model.embedding;
    set.embedding.rows = 1;
    const std::size_t rowBytes = std::size_t{model.embedding.cols} / 32 * 34; // Q8_0
    set.embedding.data += kCopied * rowBytes;
    set.layers.assign(layers.begin(), layers.end());
    return set;
}

struct Fixture
{
    Fixture()
    {
        const std::size_t queryRows = std::size_t{model.config().heads} * model.config().headDim;
        std::vector<LayerWeights> swapped = weights.layers;
        for (std::size_t i = 0; i < swapped.size(); ++i) {
            swapped[i] = weights.layers[swapped.size() - 1 - i];
            swapped[i].queryBias.assign(queryRows, 0.25F);
        }
        weights.extraSets = {setOf(weights, weights.layers), setOf(weights, swapped)};
    }

    /// Token 5 stands at rows 2, 3 and 7.
    static Job job()
    {
        Job made;
        made.tokens = {1, 2, kCopied, kCopied, 9, 30, 8, kCopied, 61, 3};
        made.positions.resize(made.tokens.size());
        std::iota(made.positions.begin(), made.positions.end(), 0);
        made.logits = LogitRows::All;
        return made;
    }

    Job jobWithSet(std::uint8_t set) const
    {
        Job made = job();
        made.weightSets.assign(made.tokens.size(), 0);
        for (std::size_t row = 0; row < made.tokens.size(); ++row) {
            if (made.tokens[row] == kCopied) {
                made.tokens[row] = static_cast<std::int32_t>(kVocabulary);
                made.weightSets[row] = set;
            }
        }
        return made;
    }

    std::vector<float> run(Job each)
    {
        KvStore store({3, 2, 32}, KvType::F32);
        return transformer.run(std::move(each), store).logits;
    }

    RandomModel model{smallShape()};
    Weights weights = model.weights();
    std::unique_ptr<Backend> backend = makeCpuBackend(2, kernels::cpu::Activations::Int8);
    Transformer transformer{model.config(), weights, *backend};
};

std::vector<float> rowOf(const std::vector<float>& logits, std::size_t row)
{
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(row * kVocabulary);
    return {begin, begin + kVocabulary};
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "rows of a set that copies the model give the model's bits")
{
    CHECK(run(jobWithSet(1)) == run(job()));
}

TEST_CASE_FIXTURE(Fixture, "rows of another set change themselves and what comes after them")
{
    const auto plain = run(job());
    const auto mixed = run(jobWithSet(2));
    CHECK(rowOf(mixed, 0) == rowOf(plain, 0));
    CHECK(rowOf(mixed, 1) == rowOf(plain, 1));
    for (std::size_t row = 2; row < 10; ++row)
        CHECK(rowOf(mixed, row) != rowOf(plain, row));
}

TEST_CASE_FIXTURE(Fixture, "the logits of a named row are those it has among all")
{
    const auto all = run(jobWithSet(2));
    for (const std::uint32_t row : {0U, 6U, 7U, 9U}) {
        Job one = jobWithSet(2);
        one.logits = LogitRows::Last;
        one.logitRows = {row};
        CHECK(run(one) == rowOf(all, row));
    }
    Job last = jobWithSet(2);
    last.logits = LogitRows::Last;
    CHECK(run(last) == rowOf(all, 9));
}

TEST_CASE_FIXTURE(Fixture, "rows keep the roles that the job gives them")
{
    KvStore store({3, 2, 32}, KvType::F32);
    Job each = jobWithSet(1);
    each.roles.assign(each.tokens.size(), Role::Document);
    each.roles[2] = Role::Beacon;
    transformer.run(each, store);
    CHECK(store.role(1) == Role::Document);
    CHECK(store.role(2) == Role::Beacon);
}
