// PoD against dense attention, against a plain reference, and against its own formula of memory
// (structural.md 5.8, P1 to P6).

#include "engine/eval/random_model.h"
#include "engine/methods/shared_keys.h"
#include "engine/run/transformer.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;
using kernels::KvType;

constexpr std::uint32_t kLayers = 4;
constexpr std::uint32_t kHeads = 4;
constexpr std::uint32_t kKvHeads = 2;
constexpr std::uint32_t kHeadDim = 32;

ModelConfig shape()
{
    ModelConfig config = oneBillionShape();
    config.layers = kLayers;
    config.width = 128;
    config.heads = kHeads;
    config.kvHeads = kKvHeads;
    config.headDim = kHeadDim;
    config.ffnWidth = 192;
    config.vocabularySize = 256;
    config.rope.rotaryDims = kHeadDim;
    return config;
}

/// Dense attention, or with shared keys; keeps what a reference needs of one layer.
class SharingHooks final : public Hooks
{
public:
    explicit SharingHooks(SharedKeys keys)
        : m_keys(std::move(keys))
    {}

    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        addSharedKeySegments(m_keys, step, segments);
        segmentsAdded += segments.size();
    }
    bool keepsQuery(const LayerStep& step) const override
    {
        return m_keys.sharesScores && m_keys.lends(step.layer);
    }
    void onProjections(const LayerStep&, std::span<const float>, std::span<const float> query,
                       std::span<const float>, std::span<const float>) override
    {
        queries.emplace_back(query.begin(), query.end());
    }

    void onQueries(const LayerStep&, std::span<const float> query) override
    {
        rotated.emplace_back(query.begin(), query.end());
    }

    std::size_t segmentsAdded = 0;
    std::vector<std::vector<float>> queries; // [layer], of all jobs in turn, before RoPE
    std::vector<std::vector<float>> rotated; // the same after RoPE

private:
    SharedKeys m_keys;
};

struct Fixture
{
    RandomModel model{shape()};
    std::unique_ptr<Backend> backend = makeCpuBackend(2, kernels::cpu::Activations::F32);
    Transformer transformer{model.config(), model.weights(), *backend};
    KvStore store{{kLayers, kKvHeads, kHeadDim}, KvType::F32};

    std::vector<float> read(std::uint32_t count, Hooks& hooks)
    {
        Job job;
        for (std::uint32_t i = 0; i < count; ++i) {
            job.tokens.push_back(static_cast<std::int32_t>((m_next * 37 + 11) % 251));
            job.positions.push_back(static_cast<std::int32_t>(m_next++));
        }
        job.logits = LogitRows::Last;
        return transformer.run(std::move(job), store, hooks).logits;
    }

private:
    std::uint32_t m_next = 0;
};

std::vector<float> dense(std::uint32_t count)
{
    Fixture fixture;
    Hooks none;
    return fixture.read(count, none);
}

float distance(std::span<const float> a, std::span<const float> b)
{
    float largest = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        largest = std::max(largest, std::abs(a[i] - b[i]));
    return largest;
}

/// Bytes of the keys of all pages.
std::size_t keyBytes(const KvStore& store)
{
    std::size_t total = 0;
    for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
        for (std::uint32_t head = 0; head < kKvHeads; ++head) {
            for (const auto& page : store.list(layer, head).pages())
                total += page->keys.size();
        }
    }
    return total;
}

/// ln sum exp of a query head's logits with some entries of a list.
double lseOf(const KvStore& store, std::uint32_t layer, std::uint32_t head,
             std::span<const float> query, std::span<const kernels::EntryRange> ranges)
{
    const KvList& list = store.list(layer, head / (kHeads / kKvHeads));
    std::vector<float> keys(std::size_t{list.length()} * kHeadDim);
    list.readKeys(keys, 0, kHeadDim);
    double sum = 0;
    for (const kernels::EntryRange& range : ranges) {
        for (std::size_t j = range.begin; j < range.end; ++j) {
            double dot = 0;
            for (std::size_t c = 0; c < kHeadDim; ++c)
                dot += static_cast<double>(query[head * kHeadDim + c]) *
                       static_cast<double>(keys[j * kHeadDim + c]);
            sum += std::exp(dot / std::sqrt(static_cast<double>(kHeadDim)));
        }
    }
    return std::log(sum);
}

/// What the 151st row makes of 150 others, with some share to leave distant tokens out from. Only
/// the last layer uses another's keys.
struct LastRow
{
    static SharedKeys keysWith(float share)
    {
        SharedKeys keys{identityGroups(kLayers, kKvHeads), 8, 32, true, share};
        std::fill(keys.groups.owner.end() - kKvHeads, keys.groups.owner.end(), kLayers - 2);
        return keys;
    }
    explicit LastRow(float share)
        : hooks(keysWith(share))
    {
        SharingHooks reading(keysWith(2));
        fixture.read(150, reading);
        logits = fixture.read(1, hooks);
    }

    Fixture fixture;
    SharingHooks hooks;
    std::vector<float> logits;
};

/// Attention to near entries alone in the last layer; the one below is taken apart like with skips.
class WindowHooks final : public Hooks
{
public:
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        addSharedKeySegments(LastRow::keysWith(1), step, segments);
        if (!segments.empty())
            segments.back().nearShare.reset();
        if (step.layer == kLayers - 1)
            segments.pop_back();
    }
    bool keepsQuery(const LayerStep& step) const override { return step.layer == kLayers - 2; }
};

} // namespace

TEST_CASE("P1: where every layer owns its keys the logits are those of dense attention bit for bit")
{
    Fixture fixture;
    SharingHooks hooks({identityGroups(kLayers, kKvHeads), 4, 32, true});
    CHECK(fixture.read(200, hooks) == dense(200));
    CHECK(hooks.segmentsAdded == 0);
}

TEST_CASE(
    "P2: a text that is all first and recent tokens is dense bit for bit, however layers share")
{
    Fixture fixture;
    SharingHooks hooks({fixedGroups(kLayers, kKvHeads, 2), 16, 184, true});
    CHECK(fixture.read(200, hooks) == dense(200));
}

TEST_CASE("sharing changes the logits once there are distant tokens")
{
    for (const bool scores : {true, false}) {
        Fixture fixture;
        SharingHooks hooks({fixedGroups(kLayers, kKvHeads, 2), 16, 64, scores});
        CHECK(distance(fixture.read(200, hooks), dense(200)) > 3e-4F);
    }
}

TEST_CASE("reading in pieces gives what reading at once gives, keys released in between or not")
{
    LayerGroups differing = fixedGroups(kLayers, kKvHeads, 2);
    for (std::uint32_t layer = 0; layer < kLayers; ++layer)
        differing.owner[std::size_t{layer} * kKvHeads + 1] =
            layer; // the second head shares nothing
    for (const LayerGroups& groups : {fixedGroups(kLayers, kKvHeads, 2), differing}) {
        const SharedKeys keys{groups, 16, 64, true};
        Fixture whole;
        SharingHooks wholeHooks(keys);
        const auto expected = whole.read(300, wholeHooks);
        CHECK(distance(expected, dense(300)) > 1e-4F);
        for (const bool releases : {false, true}) {
            Fixture pieces;
            SharingHooks hooks(keys);
            std::vector<float> logits;
            for (const std::uint32_t count : {100U, 1U, 128U, 70U, 1U}) {
                logits = pieces.read(count, hooks);
                if (releases)
                    releaseDistantKeys(keys, pieces.store);
            }
            CHECK(distance(logits, expected) < 1e-5F);
        }
    }
}

TEST_CASE("P4: the bytes released are those of the formula")
{
    // 640 tokens, the first page and the last four stay: 320 distant ones. One more token is not
    // read afterwards, so the window of the next row begins one later: the page it leaves is full
    // only with 64.
    const SharedKeys keys{fixedGroups(kLayers, kKvHeads, 2), 64, 256, true};
    Fixture fixture;
    SharingHooks hooks(keys);
    fixture.read(640, hooks);
    const std::size_t all = keyBytes(fixture.store);
    const std::size_t before = fixture.store.bytes();
    releaseDistantKeys(keys, fixture.store);
    const std::size_t released = all - keyBytes(fixture.store);
    CHECK(before - fixture.store.bytes() == released);
    // The formula is a share of keys and values together.
    CHECK(static_cast<double>(released) ==
          doctest::Approx(sharedKeySaving(keys.groups, 640, 64 + 256) * 2 *
                          static_cast<double>(all)));
}

TEST_CASE("one row's distant part equals plain loops over the owner's queries and keys")
{
    // Two layers of a block, one row after 150 others.
    const SharedKeys keys{fixedGroups(kLayers, kKvHeads, 2), 8, 32, true};
    Fixture fixture;
    SharingHooks hooks(keys);
    fixture.read(150, hooks);
    KvStore::LayerViews views;
    const std::vector<std::uint32_t> owner(kKvHeads, 0);
    const std::vector<std::uint32_t> own(kKvHeads, 1);
    fixture.store.views(owner, own, views);
    const std::size_t queryFloats = std::size_t{kHeads} * kHeadDim;
    const std::vector<float> query(
        hooks.queries[0].end() - static_cast<std::ptrdiff_t>(queryFloats), hooks.queries[0].end());
    const kernels::AttentionShape shape{1, kHeads, kKvHeads, kHeadDim, 0.25F};
    const std::vector<kernels::EntryRange> visible(kKvHeads, {8, 118});
    std::vector<float> out(queryFloats);
    std::vector<float> lse(kHeads);
    fixture.backend->attention(out, lse, query, views.lists, visible, shape);
    for (std::uint32_t head = 0; head < kHeads; ++head) {
        const std::uint32_t kvHead = head / (kHeads / kKvHeads);
        std::vector<float> k(std::size_t{110} * kHeadDim);
        std::vector<float> v(k.size());
        fixture.store.list(0, kvHead).readKeys(k, 8, kHeadDim);
        fixture.store.list(1, kvHead).readValues(v, 8, kHeadDim);
        std::vector<double> weights(110);
        for (std::size_t j = 0; j < 110; ++j) {
            double dot = 0;
            for (std::size_t c = 0; c < kHeadDim; ++c)
                dot += static_cast<double>(query[head * kHeadDim + c]) *
                       static_cast<double>(k[j * kHeadDim + c]);
            weights[j] = std::exp(0.25 * dot);
        }
        const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
        CHECK(static_cast<double>(lse[head]) == doctest::Approx(std::log(sum)).epsilon(1e-5));
        for (std::size_t c = 0; c < kHeadDim; ++c) {
            double mean = 0;
            for (std::size_t j = 0; j < 110; ++j)
                mean += weights[j] / sum * static_cast<double>(v[j * kHeadDim + c]);
            CHECK(static_cast<double>(out[head * kHeadDim + c]) ==
                  doctest::Approx(mean).epsilon(1e-4));
        }
    }
}

TEST_CASE(
    "P6: distant tokens are left out where the near ones hold the wanted share, and only there")
{
    const LastRow never(2);
    CHECK(LastRow(1.01F).logits == never.logits);
    const LastRow always(0);
    Fixture window;
    SharingHooks reading(LastRow::keysWith(2));
    window.read(150, reading);
    WindowHooks nearOnly;
    CHECK(always.logits == window.read(1, nearOnly));
    CHECK(distance(always.logits, never.logits) > 1e-4F);

    // By hand: what the near ones hold in the last layer, by its own queries and keys, and by the
    // distant LSE of the layer below. The lower share of a group's query heads counts.
    std::vector<float> shares(kKvHeads, 1);
    for (std::uint32_t head = 0; head < kHeads; ++head) {
        const std::vector<kernels::EntryRange> near{{0, 8}, {119, 151}};
        const std::vector<kernels::EntryRange> distant{{8, 119}};
        const double own =
            lseOf(never.fixture.store, kLayers - 1, head, never.hooks.rotated[kLayers - 1], near);
        const double lent = lseOf(never.fixture.store, kLayers - 2, head,
                                  never.hooks.rotated[kLayers - 2], distant);
        float& share = shares[head / (kHeads / kKvHeads)];
        share = std::min(share, static_cast<float>(1 / (1 + std::exp(lent - own))));
    }
    const auto [low, high] = std::minmax(shares[0], shares[1]);
    MESSAGE("near tokens hold ", low, " and ", high);
    const float margin = (high - low) / 4;
    REQUIRE(margin > 1e-4F); // else rounding could decide
    CHECK(LastRow(low - margin).logits == always.logits);
    const LastRow between((low + high) / 2);
    CHECK(distance(between.logits, always.logits) > 1e-4F);
    CHECK(distance(between.logits, never.logits) > 1e-4F);
    CHECK(distance(LastRow(high + margin).logits, never.logits) < 1e-5F);
}

TEST_CASE("rows that are read together leave out what each would leave out alone")
{
    const SharedKeys keys = LastRow::keysWith(0.2637F); // between the two of the test before
    std::vector<std::vector<float>> logits;
    for (const std::vector<std::uint32_t>& counts :
         {std::vector<std::uint32_t>{5}, std::vector<std::uint32_t>{1, 1, 1, 1, 1}}) {
        Fixture fixture;
        SharingHooks reading(LastRow::keysWith(2));
        fixture.read(146, reading);
        SharingHooks hooks(keys);
        std::vector<float>& last = logits.emplace_back();
        for (const std::uint32_t count : counts)
            last = fixture.read(count, hooks);
    }
    CHECK(distance(logits[0], logits[1]) < 1e-5F);
}
