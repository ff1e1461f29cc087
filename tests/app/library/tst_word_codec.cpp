#include "app/library/word_codec.h"
#include "engine/error.h"
#include "tests/app/library/sample_document.h"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <random>

using app::ImportedWord;

namespace {

std::vector<ImportedWord> lineOfWords(std::size_t count, std::uint32_t begin)
{
    std::vector<ImportedWord> words;
    for (std::size_t i = 0; i < count; ++i) {
        const auto column = static_cast<float>(i % 12);
        const auto line = static_cast<float>(i / 12);
        words.push_back(
            {{begin, begin + 5}, 72.0F + 40.0F * column, 72.0F + 14.25F * line, 33.328125F, 10.5F});
        begin += 6;
    }
    return words;
}

} // namespace

TEST_CASE("words survive, in few bytes")
{
    const auto words = lineOfWords(400, 9000);
    const auto bytes = app::encodeWords(words, 9000);
    CHECK(bytes.size() < 400 * 9);
    CHECK(app::decodeWords(bytes, 400, {9000, 9000 + 2400}) == words);
    CHECK(app::decodeWords({}, 0, {5, 5}).empty());
}

TEST_CASE("coordinates are rounded to 1/64 point and impossible ones are cut")
{
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const std::vector<ImportedWord> words = {
        {{0, 1}, 0.1F, -3.3F, 1e30F, -kInfinity},
        {{1, 1}, std::numeric_limits<float>::quiet_NaN(), kInfinity, 0, 5},
    };
    const auto decoded = app::decodeWords(app::encodeWords(words, 0), 2, {0, 1});
    REQUIRE(decoded.size() == 2);
    CHECK(std::abs(decoded[0].x - 0.1F) <= 1.0F / 128);
    CHECK(std::abs(decoded[0].y + 3.3F) <= 1.0F / 128);
    CHECK(decoded[0].width == 1'000'000.0F);
    CHECK(decoded[0].height == -1'000'000.0F);
    CHECK(decoded[1].x == 0.0F);
    CHECK(decoded[1].y == 1'000'000.0F);
}

TEST_CASE("bytes that are no words are refused, whatever they are")
{
    const auto words = lineOfWords(30, 100);
    const auto bytes = app::encodeWords(words, 100);
    const app::ByteRange page = {100, 280};
    CHECK_THROWS_AS(app::decodeWords(bytes, 31, page), engine::Error);
    CHECK_THROWS_AS(app::decodeWords(bytes, 29, page), engine::Error);
    CHECK_THROWS_AS(app::decodeWords(bytes, 30, {100, 200}), engine::Error);
    CHECK_THROWS_AS(app::decodeWords(bytes, static_cast<std::size_t>(-1), page), engine::Error);

    std::mt19937 random(7);
    for (int round = 0; round < 20'000; ++round) {
        auto mutant = bytes;
        for (unsigned i = 0; i < 1 + random() % 4; ++i)
            mutant[random() % mutant.size()] = static_cast<std::byte>(random() & 0xffU);
        if (random() % 4 == 0)
            mutant.resize(random() % mutant.size());
        try {
            for (const ImportedWord& word : app::decodeWords(mutant, 30, page)) {
                REQUIRE(word.range.begin <= word.range.end);
                REQUIRE(word.range.end <= page.end);
                REQUIRE(word.range.begin >= page.begin);
            }
        } catch (const engine::Error& error) {
            REQUIRE(error.code() == engine::ErrorCode::Damaged);
        }
    }
}
