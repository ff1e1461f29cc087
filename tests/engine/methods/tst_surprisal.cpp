#include "engine/dialog/context.h"
#include "engine/methods/surprisal.h"
#include "tests/engine/methods/reader_fixture.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <numeric>

namespace {

using namespace engine;

/// One segment for each token.
std::vector<TextSegment> singles(std::uint32_t count)
{
    std::vector<TextSegment> segments;
    for (std::uint32_t token = 0; token < count; ++token)
        segments.push_back({token, token + 1});
    return segments;
}

std::vector<std::uint32_t> ends(const std::vector<TextSegment>& segments)
{
    std::vector<std::uint32_t> result;
    for (const TextSegment& segment : segments)
        result.push_back(segment.end);
    return result;
}

} // namespace

TEST_CASE("surprisal is the negative logarithm of the softmax")
{
    const std::vector<float> logits{std::log(1.0F), std::log(2.0F), std::log(5.0F)};
    CHECK(surprisal(logits, 0) == doctest::Approx(-std::log(1.0 / 8)));
    CHECK(surprisal(logits, 2) == doctest::Approx(-std::log(5.0 / 8)));
    const std::vector<float> large{1000.0F, 1001.0F};
    CHECK(surprisal(large, 1) == doctest::Approx(std::log(1 + std::exp(-1.0))));
    const std::vector<float> broken{1.0F, std::numeric_limits<float>::quiet_NaN()};
    CHECK(std::isnan(surprisal(broken, 0)));
}

TEST_CASE("selection.md 6.12: with single tokens the threshold of rate 0.5 is kept, too")
{
    const std::vector<float> nll{5.1F, 0.2F, 3.3F, 0.0F, 7.4F, 1.1F, 2.2F, 0.9F, 4.0F, 6.5F};
    CHECK(mostSurprising(nll, singles(10), 5) == std::vector<std::uint32_t>{0, 2, 4, 8, 9});
    CHECK(mostSurprising(nll, singles(10), 4) == std::vector<std::uint32_t>{0, 4, 8, 9});
    CHECK(mostSurprising(nll, singles(10), 10).size() == 10);
}

TEST_CASE("segments are taken by their mean, the last one is cut, and equal ones stay in order")
{
    const std::vector<float> nll{1, 1, 9, 3, 5, 5, 2};
    const std::vector<TextSegment> segments{{0, 2}, {2, 4}, {4, 6}, {6, 7}};
    CHECK(mostSurprising(nll, segments, 3) == std::vector<std::uint32_t>{2, 3, 4});
    CHECK(mostSurprising(nll, segments, 5) == std::vector<std::uint32_t>{2, 3, 4, 5, 6});
    const std::vector<float> equal(6, 1.0F);
    CHECK(mostSurprising(equal, singles(6), 2) == std::vector<std::uint32_t>{0, 1});
    const std::vector<float> broken{std::nanf(""), 0.5F, 0.1F};
    CHECK(mostSurprising(broken, singles(3), 2) == std::vector<std::uint32_t>{1, 2});
}

TEST_CASE("a text is cut behind sentences, lines and the longest length")
{
    const std::vector<std::string> tokens{"One", " two", ".",  " Three", "?",  "\n", "3",
                                          ".",   "14",   " a", " b",     " c", " d"};
    const auto text = [&](std::uint32_t token) { return tokens[token]; };
    CHECK(ends(segmentsOfText(13, 200, text)) == std::vector<std::uint32_t>{3, 6, 13});
    CHECK(ends(segmentsOfText(13, 4, text)) == std::vector<std::uint32_t>{3, 6, 10, 13});
    CHECK(segmentsOfText(0, 4, text).empty());
}

TEST_CASE("what a repeated text says for the first time stays, at the first positions")
{
    // The reader foresees a passage that it has read before, so the copies are not surprising.
    const auto model = tests::loadReader();
    const std::string once = tests::makeText(150);
    PrepareOptions options;
    options.method = "llmlingua";
    options.keep = 0.3;
    options.store = KvType::F16;
    const auto context = tests::prepare(model, once + "\n\n" + once + "\n\n" + once, options);
    const ContextInfo& info = contextInfo(*context);
    const auto wanted =
        static_cast<std::uint32_t>(std::floor(0.3 * static_cast<double>(info.tokens) + 0.5));
    const auto cells = static_cast<std::uint16_t>(info.layers * info.kvHeads);
    const auto map = retentionMap(*context);
    std::uint32_t early = 0;
    std::uint32_t kept = 0;
    for (std::size_t token = 0; token < map.size(); ++token) {
        CHECK((map[token] == 0 || map[token] == cells)); // whole tokens, in every list
        kept += map[token] == 0 ? 0 : 1;
        early += map[token] != 0 && token < map.size() / 3 ? 1 : 0;
    }
    CHECK(kept == wanted);
    MESSAGE(early, " of ", kept, " kept tokens are of the first copy");
    CHECK(early >= kept * 9 / 10);
    // A shorter text: positions follow one another.
    const KvStore& store = context->store();
    const KvList& list = store.list(0, 0);
    for (std::uint32_t entry = 0; entry < list.length(); ++entry)
        CHECK(store.position(list.row(entry)) == static_cast<std::int32_t>(entry));
    CHECK(store.nextPosition() == static_cast<std::int32_t>(list.length()));
}
