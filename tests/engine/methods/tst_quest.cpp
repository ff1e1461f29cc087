// Quest's bounds against the figures of selection.md 6.8 and against all products; its answers
// against dense ones.

#include "engine/dialog/context.h"
#include "engine/dialog/evidence.h"
#include "engine/dialog/tail.h"
#include "engine/methods/method.h"
#include "engine/methods/page_bounds.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>

namespace {

using namespace engine;
using List = std::vector<std::uint32_t>;

constexpr std::size_t kTokens = 24;
constexpr std::size_t kDim = 8;

/// (heads, tokens, channels) numbers of the generator of selection.md 6.1.
std::vector<float> tensor(std::uint32_t seed, std::size_t heads, float factor)
{
    std::vector<float> values(heads * kTokens * kDim);
    for (float& each : values) {
        seed = seed * 1664525U + 1013904223U;
        each = factor * (static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F);
    }
    return values;
}

std::span<const float> row(const std::vector<float>& all, std::size_t head, std::size_t token)
{
    return std::span(all).subspan((head * kTokens + token) * kDim, kDim);
}

PageBounds boundsOf(const std::vector<float>& keys, std::size_t kvHead, std::size_t pageRows)
{
    PageBounds bounds(kDim);
    for (std::size_t token = 0; token < kTokens; token += pageRows)
        bounds.addPage(std::span(keys).subspan((kvHead * kTokens + token) * kDim, pageRows * kDim));
    return bounds;
}

float product(std::span<const float> a, std::span<const float> b)
{
    return std::inner_product(a.begin(), a.end(), b.begin(), 0.0F);
}

} // namespace

TEST_CASE("selection.md 6.8: page scores, and the pages chosen by single heads")
{
    const auto queries = tensor(11, 4, 3);
    const auto keys = tensor(22, 2, 1);
    const PageBounds bounds = boundsOf(keys, 0, 4);
    const std::vector<double> expected{9.183333, 5.790887, 9.421462, 8.098217, 7.628256, 10.017355};
    for (std::size_t page = 0; page < expected.size(); ++page)
        CHECK(static_cast<double>(bounds.bound(page, row(queries, 0, kTokens - 1))) ==
              doctest::Approx(expected[page]).epsilon(1e-5));
    const std::vector<List> chosen{{0, 2, 5}, {0, 2, 5}, {1, 3, 5}, {3, 4, 5}};
    for (std::size_t head = 0; head < 4; ++head)
        CHECK(choosePages(boundsOf(keys, head / 2, 4), row(queries, head, kTokens - 1), kDim, 6,
                          3) == chosen[head]);
}

TEST_CASE("a bound is never below a product, and pages of one row give the best products exactly")
{
    const auto queries = tensor(11, 4, 3);
    const auto keys = tensor(22, 2, 1);
    for (const std::size_t pageRows : {1U, 2U, 3U, 8U}) {
        const PageBounds bounds = boundsOf(keys, 1, pageRows);
        for (std::size_t token = 0; token < kTokens; ++token) {
            const float exact = product(row(queries, 2, 20), row(keys, 1, token));
            CHECK(bounds.bound(token / pageRows, row(queries, 2, 20)) >= exact - 1e-5F);
        }
    }
    const PageBounds single = boundsOf(keys, 1, 1);
    std::vector<std::uint32_t> order(kTokens - 1);
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::sort(order, std::ranges::greater(), [&](std::uint32_t token) {
        return product(row(queries, 2, 20), row(keys, 1, token));
    });
    List best(order.begin(), order.begin() + 5);
    best.push_back(kTokens - 1);
    std::ranges::sort(best);
    CHECK(choosePages(single, row(queries, 2, 20), kDim, kTokens, 6) == best);
}

TEST_CASE("a group reads the pages of its best query, the last page always, the earlier of equals")
{
    PageBounds bounds(2);
    bounds.addPage(std::vector<float>{1, 0});
    bounds.addPage(std::vector<float>{0, 1});
    bounds.addPage(std::vector<float>{1, 0});
    bounds.addPage(std::vector<float>{-5, -5});
    const std::vector<float> first{1, 0};
    CHECK(choosePages(bounds, first, 2, 4, 2) == List{0, 3});
    const std::vector<float> both{1, 0, 0, 9};
    CHECK(choosePages(bounds, both, 2, 4, 2) == List{1, 3});
    CHECK(choosePages(bounds, both, 2, 4, 1) == List{3});
    CHECK(choosePages(bounds, both, 2, 4, 4) == List{0, 1, 2, 3});
}

namespace {

std::shared_ptr<const Context> questContext(const std::shared_ptr<LoadedModel>& model,
                                            const std::string& text, double pages)
{
    PrepareOptions options;
    options.method = "quest";
    options.store = KvType::F16;
    options.settings = {{"pages", pages}, {"dense", 0}};
    return tests::prepare(model, text, options);
}

constexpr std::size_t kQuoted = 80; // a token of the second page

/// Logits of generated rows that quote the second page.
std::vector<std::vector<float>> stepsOf(LoadedModel& model, const std::string& text,
                                        const Context& context,
                                        std::unique_ptr<AnswerMethod> method)
{
    Tail tail(model, context.store(), context.info().window, std::move(method));
    const auto tokens = model.tokenizer().encode(text, SpecialTokens::AsText, false).ids;
    const auto rows = std::span(tokens).subspan(kQuoted, 6);
    std::vector<std::vector<float>> logits;
    for (std::size_t step = 0; step < rows.size(); ++step)
        logits.push_back(tail.read(rows.subspan(step, 1), Role::Generated, LogitRows::Last, {}));
    return logits;
}

/// Pages 0, 2 and the last two of every list: as chosen pages, or as ranges of all of them.
class SomePages final : public AnswerMethod
{
public:
    explicit SomePages(bool asRanges)
        : m_asRanges(asRanges)
    {}
    std::unique_ptr<AnswerMethod> clone() const override
    {
        return std::make_unique<SomePages>(*this);
    }
    void segments(const LayerStep& step, std::vector<Segment>& segments) override
    {
        const std::uint32_t heads = step.store->shape().kvHeads;
        const std::uint32_t length = step.store->list(step.layer, 0).length();
        const std::uint32_t last = (length - 1) / 64;
        const auto visible = [&](std::uint32_t begin, std::uint32_t end) {
            return std::vector<kernels::EntryRange>(heads, {begin, end});
        };
        if (m_asRanges) {
            for (const auto& [begin, end] :
                 {std::pair(0U, 64U), std::pair(128U, 192U), std::pair((last - 1) * 64, length)}) {
                segments.emplace_back();
                segments.back().visible = visible(begin, end);
            }
            return;
        }
        segments.emplace_back();
        segments.back().pages.assign(heads, {0, 2, last - 1, last});
        segments.back().visible = visible(0, 3 * 64 + length - last * 64);
    }

private:
    bool m_asRanges;
};

} // namespace

TEST_CASE("attention over chosen pages is attention over their entries")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    const auto context = questContext(model, text, 4);
    const auto chosen = stepsOf(*model, text, *context, std::make_unique<SomePages>(false));
    const auto ranges = stepsOf(*model, text, *context, std::make_unique<SomePages>(true));
    const auto dense = stepsOf(*model, text, *context, std::make_unique<PlainAnswer>());
    CHECK(chosen != dense);
    for (std::size_t step = 0; step < chosen.size(); ++step) {
        for (std::size_t i = 0; i < chosen[step].size(); ++i)
            REQUIRE(chosen[step][i] == doctest::Approx(ranges[step][i]).epsilon(1e-4));
    }
}

TEST_CASE("with pages for everything the answer is dense bit for bit, with few it is another")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    const auto logitsWith = [&](double pages) {
        const auto context = questContext(model, text, pages);
        return stepsOf(*model, text, *context, findMethod("quest").answer(*context, *model));
    };
    const auto context = questContext(model, text, 1);
    const auto dense = stepsOf(*model, text, *context, std::make_unique<PlainAnswer>());
    CHECK(logitsWith(1000) == dense);
    CHECK(logitsWith(2) != dense);
    CHECK(logitsWith(2) == logitsWith(2));
}

TEST_CASE("an answer through chosen pages says where it looked, and nothing is read again")
{
    const auto model = tests::loadReader();
    const std::string text = tests::makeText(300);
    const auto context = questContext(model, text, 5);
    CHECK(contextInfo(*context).keptFraction == 1.0);
    Conversation conversation(model, context);
    const Answer answer = conversation.ask(text.substr(400, 60), {.maxTokens = 6}, {});
    CHECK(answer.tokensReread == 0);
    for (const Evidence& evidence : answer.evidence)
        CHECK(!evidence.places.empty());
    Conversation again(model, context);
    CHECK(again.ask(text.substr(400, 60), {.maxTokens = 6}, {}).text == answer.text);
}
