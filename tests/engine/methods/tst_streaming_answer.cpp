// DuoAttention while questions are answered: what streaming heads hold and what their rows see.

#include "engine/dialog/context.h"
#include "engine/methods/streaming_answer.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;

constexpr std::uint32_t kSinks = 16;
constexpr std::uint32_t kRecent = 70;

std::string text()
{
    return tests::makeText(250);
}

PrepareOptions duoOptions(KvType type, double keep = 0.55)
{
    PrepareOptions options;
    options.method = "duo-attention";
    options.keep = keep;
    options.store = type;
    options.settings = {{"sinks", kSinks}, {"recent", kRecent}};
    return options;
}

/// In the middle of the text, and among its last words.
std::vector<ByteRange> twoPlaces()
{
    const auto end = static_cast<std::uint32_t>(text().size());
    return {{300, 360}, {end - 40, end - 20}};
}

/// A conversation's copy of a context, and rows that are read into it.
struct Reading
{
    Reading(const std::shared_ptr<LoadedModel>& loaded, const Context& context)
        : model(loaded)
        , state(StreamingAnswer::State::read(context.methodState()))
        , method(model->backend(), state, context.store())
        , store(context.store())
    {}

    /// The logits of the last row.
    std::vector<float> read(std::size_t rows)
    {
        Job job;
        for (std::size_t i = 0; i < rows; ++i) {
            job.tokens.push_back(static_cast<std::int32_t>(40 + next++ % 50));
            job.positions.push_back(store.nextPosition() + static_cast<std::int32_t>(i));
        }
        job.role = Role::Query;
        job.logits = LogitRows::Last;
        const auto result = model->transformer().run(job, store, method);
        method.afterJob(job, store);
        return result.logits;
    }

    std::shared_ptr<LoadedModel> model;
    StreamingAnswer::State state;
    StreamingAnswer method;
    KvStore store;
    std::size_t next = 0;
};

bool holds(const KvList& list, std::uint32_t row)
{
    for (std::uint32_t entry = 0; entry < list.length(); ++entry) {
        if (list.row(entry) == row)
            return true;
    }
    return false;
}

} // namespace

TEST_CASE("streaming heads hold the rows that stay and the recent ones, the others everything")
{
    const auto model = tests::loadReader();
    for (const KvType type : {KvType::F16, KvType::Kivi4}) {
        for (const bool pinned : {false, true}) {
            PrepareOptions options = duoOptions(type);
            if (pinned)
                options.pinned = twoPlaces();
            const auto context = tests::prepare(model, text(), options);
            Reading reading(model, *context);
            const std::uint32_t prepared = context->store().rowCount();
            REQUIRE(prepared > kSinks + kRecent + 200);
            std::uint32_t staying = 0;
            for (const kernels::EntryRange& range : reading.state.staying)
                staying += range.end - range.begin;
            CHECK((staying > kSinks) == pinned);
            CHECK(reading.state.staying.front().begin == 0);
            CHECK(reading.state.staying.front().end == kSinks);
            for (const std::size_t rows : {5U, 90U, 1U, 1U, 150U})
                reading.read(rows);
            const KvShape shape = reading.store.shape();
            const std::uint32_t total = reading.store.rowCount();
            CHECK(total == prepared + 247);
            std::size_t streaming = 0;
            for (std::uint32_t i = 0; i < reading.state.streams.size(); ++i) {
                const KvList& list = reading.store.list(i / shape.kvHeads, i % shape.kvHeads);
                if (reading.state.streams[i] == 0) {
                    CHECK(list.length() == total);
                    continue;
                }
                ++streaming;
                CHECK(list.length() >= staying + kRecent);
                CHECK(list.length() < staying + kRecent + kernels::kPageRows);
                for (const kernels::EntryRange& range : reading.state.staying) {
                    for (std::uint32_t row = range.begin; row < range.end; ++row)
                        CHECK(holds(list, row));
                }
                for (std::uint32_t row = total - kRecent; row < total; ++row)
                    CHECK(holds(list, row));
            }
            CHECK(streaming > 0);
            CHECK(streaming < reading.state.streams.size());
            // The context itself has not changed.
            CHECK(context->store().rowCount() == prepared);
        }
    }
}

TEST_CASE("what a row sees does not depend on how the rows come, nor on what is already dropped")
{
    const auto model = tests::loadReader();
    PrepareOptions options = duoOptions(KvType::F16);
    options.pinned = twoPlaces();
    const auto context = tests::prepare(model, text(), options);
    Reading whole(model, *context);
    const std::vector<float> expected = whole.read(200);
    Reading pieces(model, *context);
    std::vector<float> logits;
    for (const std::size_t rows : {3U, 100U, 1U, 60U, 36U})
        logits = pieces.read(rows);
    REQUIRE(logits.size() == expected.size());
    // Entries lie in other places of their pages, so sums are rounded in another order.
    for (std::size_t i = 0; i < logits.size(); ++i)
        CHECK(std::abs(logits[i] - expected[i]) < 1e-3F);
}

TEST_CASE("every row sees the rows that stay and its own window")
{
    const auto model = tests::loadReader();
    PrepareOptions options = duoOptions(KvType::F16);
    options.pinned = {{300, 360}};
    const auto context = tests::prepare(model, text(), options);
    Reading reading(model, *context);
    reading.read(100); // has been trimmed

    class Seen final : public Hooks
    {
    public:
        Seen(StreamingAnswer& method, const StreamingAnswer::State& state)
            : m_method(method)
            , m_state(state)
        {}
        void segments(const LayerStep& step, std::vector<Segment>& segments) override
        {
            m_method.segments(step, segments);
            const std::uint32_t heads = step.store->shape().kvHeads;
            for (std::size_t at = 0; !segments.empty() && at < step.rows.size() * heads; ++at) {
                const auto head = static_cast<std::uint32_t>(at % heads);
                const KvList& list = step.store->list(step.layer, head);
                std::vector<std::uint32_t> rows;
                for (const Segment& segment : segments) {
                    for (std::uint32_t i = segment.visible[at].begin; i < segment.visible[at].end;
                         ++i)
                        rows.push_back(list.row(i));
                }
                std::ranges::sort(rows);
                const std::uint32_t own = step.rows[at / heads];
                CHECK(rows == expected(own, m_state.streams[step.layer * heads + head] != 0));
                ++checked;
            }
        }
        std::size_t checked = 0;

    private:
        std::vector<std::uint32_t> expected(std::uint32_t own, bool streams) const
        {
            std::vector<std::uint32_t> rows;
            for (std::uint32_t row = 0; row <= own; ++row) {
                bool sees = !streams || row + m_state.recent > own;
                for (const kernels::EntryRange& range : m_state.staying)
                    sees = sees || (row >= range.begin && row < range.end);
                if (sees)
                    rows.push_back(row);
            }
            return rows;
        }
        StreamingAnswer& m_method;
        const StreamingAnswer::State& m_state;
    } seen(reading.method, reading.state);

    Job job;
    for (std::int32_t i = 0; i < 40; ++i) {
        job.tokens.push_back(41 + i % 20);
        job.positions.push_back(reading.store.nextPosition() + i);
    }
    job.role = Role::Query;
    model->transformer().run(job, reading.store, seen);
    CHECK(seen.checked > 0);
}

TEST_CASE("a stored context goes on in the same way, and one that keeps everything is plain")
{
    const auto model = tests::loadReader();
    const auto context = tests::prepare(model, text(), duoOptions(KvType::Kivi4));
    std::vector<std::vector<std::byte>> stored;
    for (std::size_t index = 0; index < segmentCount(*context); ++index)
        stored.push_back(writeSegment(*context, index));
    const auto again = loadContext(model, [&](std::size_t index) { return stored.at(index); }, {});
    const AskOptions ask{.maxTokens = 100, .raw = true};
    Conversation first(model, context);
    Conversation second(model, again);
    for (const std::size_t begin : {0U, 200U}) {
        const Answer answer = first.ask(text().substr(begin, 90), ask, {});
        CHECK(second.ask(text().substr(begin, 90), ask, {}).text == answer.text);
        CHECK(answer.tokensReread == 0);
    }
    CHECK(tests::prepare(model, text(), duoOptions(KvType::F16, 1))->methodState().empty());
}

TEST_CASE("a state that does not fit the store is refused")
{
    const auto model = tests::loadReader();
    const auto context = tests::prepare(model, text(), duoOptions(KvType::F16));
    const auto good = StreamingAnswer::State::read(context->methodState());
    const auto refused = [&](const StreamingAnswer::State& state) {
        CHECK_THROWS_AS(StreamingAnswer(model->backend(), state, context->store()), Error);
    };
    StreamingAnswer::State bad = good;
    bad.streams.pop_back();
    refused(bad);
    bad = good;
    bad.recent = 0;
    refused(bad);
    bad = good;
    bad.staying = {{5, 9}, {8, 12}};
    refused(bad);
    bad.staying = {{0, context->store().rowCount() + 1}};
    refused(bad);
    std::vector<std::byte> cut = good.write();
    cut.pop_back();
    CHECK_THROWS_AS(StreamingAnswer::State::read(cut), Error);
}
