// HOMER on models: what its nodes do to rows, its scores, its bias table, its resumption.

#include "engine/dialog/context.h"
#include "engine/eval/random_model.h"
#include "engine/methods/homer_bias.h"
#include "engine/methods/homer_rows.h"
#include "engine/methods/homer_sampler.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"
#include "tests/engine/methods/reader_variant.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <map>
#include <numeric>

namespace {

using namespace engine;

constexpr std::uint32_t kWindow = 1024;

std::shared_ptr<LoadedModel> deepReader()
{
    static const auto model = tests::loadDeepReader(kWindow);
    return model;
}

PrepareOptions homerOptions()
{
    PrepareOptions options;
    options.method = "homer";
    options.keep = 1;
    options.store = KvType::F16;
    return options;
}

std::vector<std::vector<std::byte>> payload(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 1; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

} // namespace

TEST_CASE("H4, H5: all lists hold the same tokens, prefix first, positions below a chunk")
{
    const auto model = deepReader();
    const auto context = tests::prepare(model, tests::makeText(900), homerOptions());
    const ContextInfo& info = contextInfo(*context);
    REQUIRE(info.tokens > 2 * kWindow);
    const KvStore& store = context->store();
    const std::vector<std::uint32_t> rows = tests::rowsOf(store.list(0, 0));
    for (std::uint32_t layer = 0; layer < info.layers; ++layer) {
        for (std::uint32_t head = 0; head < info.kvHeads; ++head)
            CHECK(tests::rowsOf(store.list(layer, head)) == rows);
    }
    CHECK(std::ranges::adjacent_find(rows, std::greater_equal()) == rows.end());
    for (std::uint32_t i = 0; i < info.prefixTokens; ++i)
        CHECK(rows[i] == i);
    CHECK(rows.size() <= kWindow / 2);
    CHECK(rows.size() > kWindow / 2 - 64); // a chunk less the suffix
    for (const std::uint32_t row : rows)
        CHECK(store.position(row) < store.nextPosition());
    CHECK(store.nextPosition() <= static_cast<std::int32_t>(kWindow / 2));
    std::uint64_t mapped = 0;
    for (const std::uint16_t count : retentionMap(*context))
        mapped += count;
    CHECK(mapped == (rows.size() - info.prefixTokens) * info.layers * info.kvHeads);
    CHECK(tests::prepare(model, tests::makeText(900), homerOptions())->store().rowCount() ==
          info.prefixTokens + info.tokens);
}

TEST_CASE("H6: the affix ends as the plain mean over all chunks, and equal ones stay as they are")
{
    constexpr KvShape kShape{.layers = 2, .kvHeads = 1, .headDim = 32};
    const auto backend = makeBackend(Device::Cpu, 1, kernels::cpu::Activations::F32);
    KvStore store(kShape, KvType::F32);
    // Chunks of one prefix, two context and one suffix row with the chunk's number in every place.
    const auto chunk = [&](float value, std::uint32_t first) {
        HomerRows rows{
            {0, first, first + 1, 99}, {0, 1, 2, 3}, std::vector<float>(4 * 2, value), {}};
        const std::uint32_t order = store.appendRows(rows.positions, Role::Document);
        const std::vector<float> kv(std::size_t{4} * kShape.headDim, value);
        const std::vector<std::uint32_t> orders{order, order + 1, order + 2, order + 3};
        for (std::uint32_t layer = 0; layer < kShape.layers; ++layer)
            store.appendKv(layer, kv, kv, orders, *backend);
        return rows;
    };
    const auto merge = [&](HomerRows left, HomerRows right) {
        return mergeRows(std::move(left), std::move(right), store, kShape.layers, {1, 0, 1});
    };
    HomerRows first = chunk(1, 1);
    HomerRows left = merge(std::move(first), chunk(2, 3));
    HomerRows third = chunk(3, 5);
    HomerRows right = merge(std::move(third), chunk(4, 7));
    const HomerRows root = merge(std::move(left), std::move(right));
    CHECK(root.ids == std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 99});
    CHECK(root.positions == std::vector<std::int32_t>{0, 1, 2, 1, 2, 1, 2, 1, 2, 3});
    const std::vector<float> expected{2.5F, 1, 1, 2, 2, 3, 3, 4, 4, 2.5F};
    for (std::uint32_t layer = 0; layer < kShape.layers; ++layer) {
        const KvList& list = store.list(layer, 0);
        REQUIRE(list.length() == expected.size());
        std::vector<float> keys(expected.size() * kShape.headDim);
        std::vector<float> values(keys.size());
        list.readKeys(keys, 0, kShape.headDim);
        list.readValues(values, 0, kShape.headDim);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            CHECK(keys[i * kShape.headDim] == expected[i]);
            CHECK(values[i * kShape.headDim + 31] == expected[i]);
            CHECK(root.hidden[2 * i + 1] == expected[i]);
        }
    }
}

TEST_CASE("scores: the largest raw logit of all query heads, each with the keys of its own group")
{
    ModelConfig shape = oneBillionShape();
    shape.layers = 2;
    shape.width = 256;
    shape.heads = 8;
    shape.kvHeads = 2;
    shape.ffnWidth = 256;
    shape.vocabularySize = 512;
    const RandomModel random(shape);
    const auto backend = makeBackend(Device::Cpu, 1, kernels::cpu::Activations::F32);
    Transformer transformer(random.config(), random.weights(), *backend);

    class Probe final : public Hooks
    {
    public:
        std::vector<float> query;
        std::vector<std::vector<float>> scores;
        std::vector<std::vector<float>> queries;

        void onProjections(const LayerStep&, std::span<const float>, std::span<const float> q,
                           std::span<const float>, std::span<const float>) override
        {
            queries.emplace_back(q.begin(), q.end());
        }
        void onAttention(const LayerStep& step, Scorer& scorer) override
        {
            scores.push_back(lastRowScores(step, scorer));
        }
    } probe;

    constexpr std::size_t kRows = 70;
    KvStore store({shape.layers, shape.kvHeads, shape.headDim}, KvType::F32);
    Job job;
    for (std::size_t i = 0; i < kRows; ++i) {
        job.tokens.push_back(static_cast<std::int32_t>(i * 7 % 512));
        job.positions.push_back(static_cast<std::int32_t>(i));
    }
    transformer.run(std::move(job), store, probe);
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        const std::size_t queryFloats = std::size_t{shape.heads} * shape.headDim;
        std::vector<float> last(probe.queries[layer].end() -
                                    static_cast<std::ptrdiff_t>(queryFloats),
                                probe.queries[layer].end());
        const std::vector<std::int32_t> position{kRows - 1};
        backend->rope(last, position, transformer.ropeTable().frequencies, shape.heads,
                      shape.headDim, shape.pairing, 1.0F);
        std::vector<float> keys(kRows * shape.headDim);
        std::vector<double> expected(kRows, -1e30);
        for (std::uint32_t head = 0; head < shape.heads; ++head) {
            store.list(layer, head / 4).readKeys(keys, 0, shape.headDim);
            for (std::size_t row = 0; row < kRows; ++row) {
                double dot = 0;
                for (std::size_t c = 0; c < shape.headDim; ++c)
                    dot += double{last[head * shape.headDim + c]} * keys[row * shape.headDim + c];
                expected[row] = std::max(expected[row], dot / std::sqrt(double{64}));
            }
        }
        REQUIRE(probe.scores[layer].size() == kRows);
        for (std::size_t row = 0; row < kRows; ++row)
            CHECK(probe.scores[layer][row] == doctest::Approx(expected[row]).epsilon(1e-4));
    }
}

TEST_CASE("H7: a constant in the bias changes nothing, a bias by distance does")
{
    const auto model = deepReader();
    const std::string text = tests::makeText(700);
    PrepareOptions options = homerOptions();
    const auto measured = tests::prepare(model, text, options);
    const std::string table = biasTable(*measured);
    options.biasTable = table;
    const auto again = tests::prepare(model, text, options);
    CHECK(payload(*again) == payload(*measured));

    HomerBias bias = readHomerBias(table, modelIdentity(*model), contextInfo(*measured).rope, 8);
    CHECK(bias.length == kWindow / 2);
    // Constants are added to zeros: with measured numbers rounding could make and break ties.
    std::ranges::fill(bias.values, 0.0F);
    options.biasTable = writeHomerBias(bias);
    const auto unbiased = payload(*tests::prepare(model, text, options));
    std::ranges::fill(bias.values, 512.0F);
    options.biasTable = writeHomerBias(bias);
    CHECK(payload(*tests::prepare(model, text, options)) == unbiased);
    for (std::size_t i = 0; i < bias.values.size(); ++i)
        bias.values[i] += i % bias.length < 100 ? 1e6F : 0.0F; // the most recent are let go
    options.biasTable = writeHomerBias(bias);
    CHECK(payload(*tests::prepare(model, text, options)) != unbiased);
}

TEST_CASE("a bias table of other positions, of another model, or damaged is refused")
{
    const auto model = deepReader();
    const std::string text = tests::makeText(700);
    PrepareOptions options = homerOptions();
    options.biasTable = biasTable(*tests::prepare(model, text, options));
    options.settings = {{"rope", 1}, {"rope-factor", 2}};
    CHECK_THROWS_WITH_AS(Preparation(model, text, options), doctest::Contains("other positions"),
                         Error);
    options.settings = {};
    CHECK_THROWS_WITH_AS(
        Preparation(tests::loadReaderWithWindow(kWindow), tests::makeText(200), options),
        doctest::Contains("another model"), Error);
    options.biasTable.resize(options.biasTable.size() / 2);
    CHECK_THROWS_AS(Preparation(model, text, options), Error);
}

namespace {

class Tables final : public BiasTables
{
public:
    std::string find(const std::string& key) override { return tables[key]; }
    void keep(const std::string& key, const std::string& table) override
    {
        tables[key] = table;
        ++kept;
    }
    std::map<std::string, std::string> tables;
    int kept = 0;
};

} // namespace

TEST_CASE("a model's bias table is measured once and does for other documents")
{
    const auto model = deepReader();
    const std::string first = tests::makeText(700);
    const std::string second = tests::makeText(800, 2);
    PrepareOptions options = homerOptions();
    options.keep = 0.3;
    options.settings = {{"samples", 1}};
    const auto tables = std::make_shared<Tables>();
    options.biasTables = tables;
    const std::string measured = biasTable(*tests::prepare(model, first, options));
    REQUIRE(tables->kept == 1);
    CHECK(tables->tables.begin()->second == measured);
    // The second document's own table is another one; the kept one is used as if it were given.
    const auto context = tests::prepare(model, second, options);
    CHECK(biasTable(*context) == measured);
    PrepareOptions given = options;
    given.biasTables = nullptr;
    CHECK(biasTable(*tests::prepare(model, second, given)) != measured);
    given.biasTable = measured;
    CHECK(payload(*tests::prepare(model, second, given)) == payload(*context));
    CHECK(Preparation(model, second, options).progress().phase == "Reading");
    CHECK(tables->kept == 1);

    SUBCASE("not for other positions, other pieces or other chunks")
    {
        for (const std::map<std::string, double>& other :
             {std::map<std::string, double>{{"samples", 1}, {"rope", 1}, {"rope-factor", 2}},
              std::map<std::string, double>{{"samples", 2}},
              std::map<std::string, double>{{"samples", 1}, {"chunk", 400}}}) {
            options.settings = other;
            CHECK(Preparation(model, second, options).progress().phase == "Measuring");
        }
    }
    SUBCASE("a damaged one is measured anew")
    {
        tables->tables.begin()->second.resize(100);
        CHECK(payload(*tests::prepare(model, first, options)).size() > 0);
        CHECK(tables->tables.begin()->second == measured);
    }
    SUBCASE("a document shorter than a chunk uses a kept one, but leaves none")
    {
        const std::string shorter = tests::makeText(60);
        CHECK(Preparation(model, shorter, options).progress().phase == "Reading");
        tables->tables.clear();
        CHECK(Preparation(model, shorter, options).progress().phase == "Measuring");
        tests::prepare(model, shorter, options);
        CHECK(tables->kept == 1);
    }
}

TEST_CASE("stopped after any job, a preparation goes on to the same bits")
{
    const auto model = deepReader();
    const std::string text = tests::makeText(800);
    PrepareOptions options = homerOptions();
    options.question = "What follows \"The gardener number\"?";
    SUBCASE("as published") {}
    SUBCASE("with significance that is carried on and shared with neighbours")
    {
        options.settings = {{"carry", 1}, {"pool", 4}};
    }
    Preparation whole(model, text, options);
    std::vector<std::vector<std::byte>> pieces;
    bool more = true;
    while (more) {
        more = whole.advance();
        pieces.push_back(whole.takeCheckpoint());
    }
    REQUIRE(pieces.size() > 12);
    const auto expected = payload(*whole.finish());
    for (std::size_t stop = 1; stop <= pieces.size(); stop += 3) {
        CAPTURE(stop);
        Preparation resumed(model, text, options);
        for (std::size_t i = 0; i < stop; ++i)
            resumed.restore(pieces[i]);
        while (resumed.advance()) {
        }
        CHECK(payload(*resumed.finish()) == expected);
    }
    Preparation other(model, text, options);
    std::vector<std::byte> damaged = pieces[0];
    damaged.resize(damaged.size() - 20);
    CHECK_THROWS_AS(other.restore(damaged), Error);
}
