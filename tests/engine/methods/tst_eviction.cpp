// H2O and TOVA while text goes on: the published traces (selection.md 6.5, 6.5b), and what a
// conversation with them keeps.

#include "engine/dialog/context.h"
#include "engine/methods/eviction_answer.h"
#include "engine/model/model.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;
using List = std::vector<std::uint32_t>;

constexpr std::size_t kHeads = 4, kKvHeads = 2, kTokens = 24, kDim = 8;

std::vector<float> tensor(std::uint32_t seed, std::size_t heads, float factor)
{
    std::vector<float> values(heads * kTokens * kDim);
    for (float& each : values) {
        seed = seed * 1664525U + 1013904223U;
        each = factor * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
    }
    return values;
}

/// Softmax of a row of one query head over the kept tokens of its KV head.
std::vector<double> weights(std::size_t head, std::size_t row, const List& kept)
{
    const auto q = tensor(11, kHeads, 3);
    const auto k = tensor(22, kKvHeads, 1);
    std::vector<double> result;
    double total = 0;
    for (const std::uint32_t token : kept) {
        double product = 0;
        for (std::size_t c = 0; c < kDim; ++c)
            product += static_cast<double>(q[(head * kTokens + row) * kDim + c]) *
                       static_cast<double>(k[(head / 2 * kTokens + token) * kDim + c]);
        result.push_back(std::exp(product / std::sqrt(8.0)));
        total += result.back();
    }
    for (double& each : result)
        each /= total;
    return result;
}

template <typename T>
void keepOnly(std::vector<T>& values, const List& kept)
{
    for (std::size_t i = 0; i < kept.size(); ++i)
        values[i] = values[kept[i]];
    values.resize(kept.size());
}

PrepareOptions optionsOf(const std::string& method, double keep, KvType store)
{
    PrepareOptions options;
    options.method = method;
    options.keep = keep;
    options.store = store;
    return options;
}

std::vector<std::vector<std::byte>> segmentsOf(const Context& context)
{
    std::vector<std::vector<std::byte>> segments;
    for (std::size_t index = 0; index < segmentCount(context); ++index)
        segments.push_back(writeSegment(context, index));
    return segments;
}

} // namespace

TEST_CASE("golden 6.5: H2O over 8 tokens and 16 steps, 4 heavy hitters and 4 recent ones")
{
    const std::vector<List> expected{{0, 1, 2, 3, 20, 21, 22, 23}, {0, 1, 2, 4, 20, 21, 22, 23}};
    for (std::size_t kvHead = 0; kvHead < kKvHeads; ++kvHead) {
        List kept;
        std::vector<float> scores;
        for (std::uint32_t row = 0; row < kTokens; ++row) {
            kept.push_back(row);
            scores.push_back(0);
            for (std::size_t member = 0; member < 2; ++member) {
                const auto row_ = weights(kvHead * 2 + member, row, kept);
                for (std::size_t i = 0; i < kept.size(); ++i)
                    scores[i] += static_cast<float>(row_[i]);
            }
            if (kept.size() <= 8)
                continue;
            const auto stay =
                keptEntries(scores, {0, static_cast<std::uint32_t>(kept.size() - 4)}, 4);
            keepOnly(kept, stay);
            keepOnly(scores, stay);
        }
        CHECK(kept == expected[kvHead]);
    }
}

TEST_CASE("golden 6.5b: TOVA over 8 tokens and 16 steps")
{
    List kept;
    for (std::uint32_t row = 0; row < kTokens; ++row) {
        kept.push_back(row);
        std::vector<float> scores(kept.size());
        for (std::size_t head = 0; head < kHeads; ++head) {
            const auto each = weights(head, row, kept);
            for (std::size_t i = 0; i < kept.size(); ++i)
                scores[i] += static_cast<float>(each[i] / kHeads);
        }
        CHECK(std::accumulate(scores.begin(), scores.end(), 0.0F) == doctest::Approx(1));
        if (kept.size() > 8)
            keepOnly(kept, keptEntries(scores, {0, static_cast<std::uint32_t>(kept.size())}, 8));
    }
    CHECK(kept == List{0, 3, 8, 16, 17, 21, 22, 23});
}

TEST_CASE("what is protected stays, and a score that is no number goes first")
{
    const float nan = std::nanf("");
    CHECK(keptEntries(std::vector<float>{0, 0, 5, nan, 7, 6, 0, 0}, {2, 6}, 3) ==
          List{0, 1, 2, 4, 5, 6, 7});
    CHECK(keptEntries(std::vector<float>{1, 1, 1}, {0, 3}, 2) == List{0, 1});
}

TEST_CASE("in answers every list keeps its length, prefix and recent entries stay")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    for (const std::string id : {"h2o", "tova", "h2o+adakv", "tova+adakv"}) {
        for (const KvType type : {KvType::F16, KvType::Kivi4}) {
            const auto context = tests::prepare(model, text, optionsOf(id, 0.4, type));
            CAPTURE(id);
            const bool heavy = id.starts_with("h2o");
            const auto state = EvictionAnswer::State::read(context->methodState());
            EvictionAnswer method(model->backend(),
                                  heavy ? EvictionAnswer::Rule::HeavyHitters
                                        : EvictionAnswer::Rule::LastRow,
                                  state, context->prefixRows(), context->store());
            KvStore store = context->store();
            for (const std::size_t rows : {5U, 1U, 1U, 3U, 1U}) {
                Job job;
                for (std::size_t i = 0; i < rows; ++i) {
                    job.tokens.push_back(static_cast<std::int32_t>(40 + i));
                    job.positions.push_back(store.nextPosition() + static_cast<std::int32_t>(i));
                }
                job.role = Role::Query;
                model->transformer().run(job, store, method);
                method.afterJob(job, store);
                const std::uint32_t last = store.rowCount() - 1;
                for (std::uint32_t layer = 0; layer < 2; ++layer) {
                    for (std::uint32_t head = 0; head < store.shape().kvHeads; ++head) {
                        const KvList& list = store.list(layer, head);
                        CHECK(list.length() == context->store().list(layer, head).length());
                        CHECK(list.row(0) == 0);
                        CHECK(list.row(list.length() - 1) == last);
                        for (std::uint32_t i = 1; i < list.length(); ++i)
                            CHECK(list.row(i) > list.row(i - 1));
                    }
                }
            }
            CHECK(store.nextPosition() == context->store().nextPosition() + 11);
        }
    }
}

TEST_CASE("the sums of H2O go into the context, those of the recent tokens too")
{
    const auto model = tests::loadReader();
    const auto context =
        tests::prepare(model, tests::makeText(200), optionsOf("h2o", 0.4, KvType::F16));
    const auto state = EvictionAnswer::State::read(context->methodState());
    const KvShape shape = context->store().shape();
    const auto group = static_cast<float>(model->config().heads / shape.kvHeads);
    REQUIRE(state.scores.size() == std::size_t{shape.layers} * shape.kvHeads);
    const auto rows = static_cast<double>(context->store().rowCount());
    double recent = 0;
    for (const std::vector<float>& scores : state.scores) {
        CHECK(std::ranges::all_of(scores, [](float each) { return each >= 0; }));
        // Every row gives one for each query head, some of it to what was dropped.
        CHECK(std::accumulate(scores.begin(), scores.end(), 0.0) <= group * rows * 1.0001);
        // The last token is seen by itself only.
        CHECK(scores.back() <= group);
        recent += std::accumulate(scores.end() - state.recent, scores.end(), 0.0);
    }
    CHECK(recent > 0.1 * state.recent);
}

TEST_CASE("eviction in answers leaves the context alone and can be switched off")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(200);
    const AskOptions ask{.maxTokens = 12, .raw = true};
    for (const std::string id : {"h2o", "tova"}) {
        const auto context = tests::prepare(model, text, optionsOf(id, 0.4, KvType::Kivi4));
        const auto before = segmentsOf(*context);
        Conversation first(model, context);
        const Answer a = first.ask(text.substr(0, 60), ask, {});
        CHECK(segmentsOf(*context) == before);
        Conversation second(model, context);
        const Answer b = second.ask(text.substr(0, 60), ask, {});
        CHECK(a.text == b.text);
        CHECK(a.tokensReread == 0);
        // Stored and loaded it says the same.
        const auto again =
            loadContext(model, [&](std::size_t index) { return before.at(index); }, {});
        Conversation third(model, again);
        CHECK(third.ask(text.substr(0, 60), ask, {}).text == a.text);

        PrepareOptions options = optionsOf(id, 0.4, KvType::Kivi4);
        options.settings = {{"answers", 0}};
        CHECK(tests::prepare(model, text, options)->methodState().empty());
        CHECK(tests::prepare(model, text, optionsOf(id, 1.0, KvType::F16))->methodState().empty());
    }
}

TEST_CASE("sums that do not fit the lists are refused")
{
    const auto model = tests::loadReader();
    const auto context =
        tests::prepare(model, tests::makeText(100), optionsOf("h2o", 0.5, KvType::F16));
    auto state = EvictionAnswer::State::read(context->methodState());
    state.scores[3].pop_back();
    const auto changed = std::make_shared<const Context>(
        context->info(), context->store(), context->ranges(), context->systemText(), state.write());
    CHECK_THROWS_AS(Conversation(model, changed), Error);
}
