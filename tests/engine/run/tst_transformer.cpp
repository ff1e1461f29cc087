// The transformer loop against itself: pieces, masks, layer ranges, pruned rows, segments.

#include "engine/eval/random_model.h"
#include "engine/run/transformer.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <doctest/doctest.h>
#include <new>
#include <numeric>

namespace {

using namespace engine;
using kernels::KvType;

ModelConfig smallShape()
{
    ModelConfig config = oneBillionShape();
    config.layers = 3;
    config.width = 128;
    config.heads = 4;
    config.kvHeads = 2;
    config.headDim = 32;
    config.ffnWidth = 192;
    config.vocabularySize = 256;
    config.rope.rotaryDims = 32;
    return config;
}

struct Fixture
{
    RandomModel model{smallShape()};
    std::unique_ptr<Backend> backend = makeCpuBackend(2, kernels::cpu::Activations::Int8);
    Transformer transformer{model.config(), model.weights(), *backend};
    KvStore store{{3, 2, 32}, KvType::F16};

    static Job job(std::uint32_t count, std::int32_t first, LogitRows logits)
    {
        Job made;
        for (std::uint32_t i = 0; i < count; ++i) {
            made.tokens.push_back(static_cast<std::int32_t>((i * 37 + 11) % 256));
            made.positions.push_back(first + static_cast<std::int32_t>(i));
        }
        made.logits = logits;
        return made;
    }
};

/// Rows [begin, end) of a job as a job of their own.
Job slice(const Job& job, std::size_t begin, std::size_t end)
{
    Job part = job;
    part.tokens.assign(job.tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                       job.tokens.begin() + static_cast<std::ptrdiff_t>(end));
    part.positions.assign(job.positions.begin() + static_cast<std::ptrdiff_t>(begin),
                          job.positions.begin() + static_cast<std::ptrdiff_t>(end));
    return part;
}

class KeepSome final : public Hooks
{
public:
    std::optional<std::vector<std::uint32_t>> onResidual(const LayerStep& step,
                                                         std::span<const float>) override
    {
        if (step.layer != 0)
            return std::nullopt;
        return std::vector<std::uint32_t>{0, 3, 9};
    }
};

class StopAfterFirst final : public Hooks
{
public:
    bool stopAfter(const LayerStep& step) override { return step.layer == 0; }
};

/// The causal mask cut into two segments, which must merge to the same result.
class TwoSegments final : public Hooks
{
public:
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        Segment first;
        Segment second;
        const std::uint32_t before =
            step.store->list(step.layer, 0).length() - static_cast<std::uint32_t>(step.rows.size());
        for (std::uint32_t r = 0; r < step.rows.size(); ++r) {
            const std::uint32_t end = before + r + 1;
            const std::uint32_t cut = std::min(end, 5U);
            for (std::uint32_t head = 0; head < 2; ++head) {
                first.visible.push_back({0, cut});
                second.visible.push_back({cut, end});
            }
        }
        segments = {first, second};
    }
};

float maxDifference(std::span<const float> a, std::span<const float> b)
{
    REQUIRE(a.size() == b.size());
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        worst = std::max(worst, std::abs(a[i] - b[i]));
    return worst;
}

} // namespace

TEST_CASE_FIXTURE(Fixture, "feeding in pieces gives the same bits as feeding at once")
{
    const Job whole = job(90, 0, LogitRows::All);
    const auto once = transformer.run(whole, store).logits;
    for (const std::size_t piece : {1, 7, 64}) {
        KvStore other({3, 2, 32}, KvType::F16);
        std::vector<float> pieces;
        for (std::size_t begin = 0; begin < 90; begin += piece) {
            const auto part = transformer.run(
                slice(whole, begin, std::min<std::size_t>(90, begin + piece)), other);
            pieces.insert(pieces.end(), part.logits.begin(), part.logits.end());
        }
        CAPTURE(piece);
        CHECK(pieces == once);
    }
}

TEST_CASE_FIXTURE(Fixture, "T5: the mask follows the order of rows, whatever their positions are")
{
    Job shuffled = job(20, 0, LogitRows::All);
    std::ranges::reverse(shuffled.positions);
    const auto all = transformer.run(shuffled, store).logits;
    KvStore other({3, 2, 32}, KvType::F16);
    const auto head = transformer.run(slice(shuffled, 0, 8), other).logits;
    // The first rows cannot have seen the later ones, although those have smaller positions.
    CHECK(std::equal(head.begin(), head.end(), all.begin()));
}

TEST_CASE_FIXTURE(Fixture, "a layer range continues where another one ended")
{
    const auto whole = transformer.run(job(12, 0, LogitRows::Last), store).logits;
    KvStore other({3, 2, 32}, KvType::F16);
    StopAfterFirst stop;
    Job lower = job(12, 0, LogitRows::Last);
    auto middle = transformer.run(lower, other, stop);
    CHECK(middle.logits.empty());
    CHECK(other.list(0, 0).length() == 12);
    CHECK(other.list(1, 0).length() == 0);
    Job upper = job(12, 0, LogitRows::Last);
    upper.layerBegin = 1;
    upper.hidden = middle.hidden;
    const auto logits = transformer.run(upper, other).logits;
    CHECK(logits == whole);
}

TEST_CASE_FIXTURE(Fixture, "the logits of named rows are those that they have among all")
{
    const auto all = transformer.run(job(12, 0, LogitRows::All), store).logits;
    KvStore other({3, 2, 32}, KvType::F16);
    Job some = job(12, 0, LogitRows::Last);
    some.logitRows = {2, 3, 9};
    const JobResult result = transformer.run(some, other);
    CHECK(result.survivors == some.logitRows);
    const std::size_t vocabulary = all.size() / 12;
    REQUIRE(result.logits.size() == 3 * vocabulary);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(
            std::ranges::equal(std::span(result.logits).subspan(i * vocabulary, vocabulary),
                               std::span(all).subspan(some.logitRows[i] * vocabulary, vocabulary)));
    }
    CHECK(other.list(2, 0).length() == 12);
}

TEST_CASE_FIXTURE(Fixture, "rows dropped after a layer are absent from the later ones")
{
    KeepSome hooks;
    const auto result = transformer.run(job(10, 0, LogitRows::All), store, hooks);
    CHECK(result.survivors == std::vector<std::uint32_t>{0, 3, 9});
    CHECK(result.logits.size() == 3 * 256);
    CHECK(store.list(0, 0).length() == 10);
    CHECK(store.list(1, 0).length() == 3);
    CHECK(store.list(1, 0).row(1) == 3);
    CHECK(store.list(2, 1).row(2) == 9);
}

TEST_CASE_FIXTURE(Fixture, "segments merged by their LSE equal one segment")
{
    const auto whole = transformer.run(job(40, 0, LogitRows::All), store).logits;
    KvStore other({3, 2, 32}, KvType::F16);
    TwoSegments hooks;
    const auto parts = transformer.run(job(40, 0, LogitRows::All), other, hooks).logits;
    CHECK(maxDifference(whole, parts) < 2e-2F); // 8-bit activations round differently
    CHECK(maxDifference(whole, parts) >= 0.0F);
}

TEST_CASE_FIXTURE(Fixture, "a job that keeps nothing leaves the store as it was")
{
    transformer.run(job(10, 0, LogitRows::None), store);
    Job probe = job(30, 10, LogitRows::None);
    probe.keepsKv = false;
    transformer.run(probe, store);
    CHECK(store.rowCount() == 10);
    CHECK(store.nextPosition() == 10);
    CHECK(store.list(2, 1).length() == 10);
}

TEST_CASE_FIXTURE(Fixture, "T6: decoding works when heads have no entries left")
{
    transformer.run(job(50, 0, LogitRows::None), store);
    store.list(0, 0).keep({}, 32);
    store.list(2, 1).keep(std::vector<std::uint32_t>{4}, 32);
    const auto logits = transformer.run(job(1, 50, LogitRows::Last), store).logits;
    CHECK(std::ranges::all_of(logits, [](float x) { return std::isfinite(x); }));
}

TEST_CASE_FIXTURE(Fixture,
                  "the logits of the last row alone are those among the logits of all rows")
{
    class WithLse final : public Hooks
    {
    public:
        bool needsLse(const LayerStep&) const override { return true; }
    };
    Hooks plain;
    WithLse withLse;
    TwoSegments twoSegments;
    for (Hooks* hooks :
         {&plain, static_cast<Hooks*>(&withLse), static_cast<Hooks*>(&twoSegments)}) {
        KvStore first = store;
        const auto all = transformer.run(job(40, 0, LogitRows::All), first, *hooks).logits;
        KvStore second = store;
        const JobResult last = transformer.run(job(40, 0, LogitRows::Last), second, *hooks);
        REQUIRE(last.logits.size() == 256);
        CHECK(std::equal(last.logits.begin(), last.logits.end(), all.end() - 256));
        CHECK(last.survivors == std::vector<std::uint32_t>{39});
    }
}

namespace {

/// Every head reads the first page and its rows' own, and sums the weights it is asked for.
class Sparse final : public Hooks
{
public:
    explicit Sparse(bool allPages)
        : m_allPages(allPages)
    {}
    void onKeys(const LayerStep& step, Scorer& scorer) override
    {
        const auto weights = scorer.weights(3, step.rows.size() - 2);
        rowSums.push_back(std::accumulate(weights.begin(), weights.end(), 0.0));
    }
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const auto rows = static_cast<std::uint32_t>(step.rows.size());
        Segment segment;
        for (std::uint32_t row = 0; row < rows; ++row)
            segment.visible.insert(segment.visible.end(), 2, {0, row + 1});
        kernels::SparsePattern pattern;
        for (std::uint32_t page = 0; page * 64 < rows; ++page) {
            pattern.pages.push_back({0});
            for (std::uint32_t other = m_allPages ? 1 : std::max(1U, page); other <= page; ++other)
                pattern.pages.back().push_back(other);
        }
        segment.patterns.assign(4, pattern);
        segments.push_back(std::move(segment));
    }
    bool needsLse(const LayerStep&) const override { return true; }
    void onAttention(const LayerStep& step, Scorer& scorer) override
    {
        kernels::ScoreSpec spec;
        spec.scored = {0, static_cast<std::uint32_t>(step.rows.size())};
        if (step.layer == 0)
            scores = scorer.run(spec);
        if (step.layer == 0)
            scoresOn = scorer.runOn(0, spec);
    }

    std::vector<float> scores;
    std::vector<float> scoresOn;
    std::vector<double> rowSums;

private:
    bool m_allPages;
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "sparse patterns: the last row alone, and scores of all that rows see")
{
    KvStore first = store;
    Sparse sparse(false);
    const auto all = transformer.run(job(200, 0, LogitRows::All), first, sparse).logits;
    KvStore second = store;
    const auto last = transformer.run(job(200, 0, LogitRows::Last), second, sparse).logits;
    CHECK(std::equal(last.begin(), last.end(), all.end() - 256));
    REQUIRE(sparse.rowSums.size() == 6);
    for (const double sum : sparse.rowSums)
        CHECK(sum == doctest::Approx(2).epsilon(1e-5)); // two rows of weights

    Sparse whole(true);
    const auto dense = transformer.run(job(200, 0, LogitRows::All), store).logits;
    KvStore third({3, 2, 32}, KvType::F16);
    CHECK(transformer.run(job(200, 0, LogitRows::All), third, whole).logits == dense);
    CHECK(all != dense);

    // The weights of a layer with the same input do not depend on what its rows attended to.
    REQUIRE(sparse.scores.size() == whole.scores.size());
    CHECK(sparse.scores == whole.scores);
    CHECK(sparse.scoresOn == sparse.scores);
    const double sum = std::accumulate(sparse.scores.begin(), sparse.scores.end(), 0.0);
    CHECK(sum == doctest::Approx(2 * 200).epsilon(1e-4)); // every row of every KV head adds one
}

TEST_CASE_FIXTURE(Fixture, "a named pass has the scores of one that is asked for, in every layer")
{
    class Named final : public Hooks
    {
    public:
        explicit Named(bool turned)
            : m_turned(turned)
        {}
        void segments(const LayerStep& step, std::vector<Segment>& segments) override
        {
            if (!m_turned)
                return;
            segments.resize(1);
            for (std::uint32_t row = 1; row <= step.rows.size(); ++row)
                segments[0].visible.insert(segments[0].visible.end(), 2, {0, row});
            segments[0].queryShift.assign(step.rows.size(), 5);
        }
        const kernels::ScoreSpec* passWithAttention(const LayerStep& step) override
        {
            m_subset = {kernels::EntryRange{0, 3}, kernels::EntryRange{7, 90 + step.layer}};
            m_spec = {.scored = {10, 60},
                      .subset = m_subset,
                      .normaliser = kernels::Normaliser::Subset,
                      .rows = kernels::RowReduction::Max,
                      .heads = kernels::HeadReduction::Max};
            return &m_spec;
        }
        void onAttention(const LayerStep&, Scorer& scorer) override
        {
            const std::vector<float> named = scorer.runNamed();
            CHECK(named.size() == 2 * 50);
            CHECK(named == scorer.run(m_spec));
            ++passes;
        }
        int passes = 0;

    private:
        bool m_turned;
        std::array<kernels::EntryRange, 2> m_subset{};
        kernels::ScoreSpec m_spec;
    };
    for (const bool turned : {false, true})
        for (const LogitRows wanted : {LogitRows::None, LogitRows::Last, LogitRows::All}) {
            Named named(turned);
            KvStore own = store;
            const auto logits = transformer.run(job(100, 0, wanted), own, named).logits;
            CHECK(named.passes == 3);
            if (turned)
                continue;
            KvStore plain = store;
            CHECK(logits == transformer.run(job(100, 0, wanted), plain).logits);
        }
}

TEST_CASE_FIXTURE(Fixture, "a hook that throws leaves the rows of the store as they were")
{
    class ThrowInSecondLayer final : public Hooks
    {
    public:
        void onAttention(const LayerStep& step, Scorer&) override
        {
            if (step.layer == 1)
                throw std::bad_alloc();
        }
    };
    transformer.run(job(10, 0, LogitRows::None), store);
    ThrowInSecondLayer hooks;
    CHECK_THROWS_AS(transformer.run(job(70, 10, LogitRows::None), store, hooks), std::bad_alloc);
    CHECK(store.rowCount() == 10);
    CHECK(store.nextPosition() == 10);
    CHECK(store.list(0, 0).length() == 10);
    CHECK(store.list(2, 1).length() == 10);
}

TEST_CASE_FIXTURE(Fixture, "a stop request ends the job with the store unchanged")
{
    transformer.run(job(5, 0, LogitRows::None), store);
    std::stop_source source;
    source.request_stop();
    CHECK_THROWS_AS(transformer.run(job(5, 5, LogitRows::None), store, source.get_token()), Error);
    CHECK(store.rowCount() == 5);
}
