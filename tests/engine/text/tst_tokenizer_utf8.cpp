#include "engine/text/tokenizer.h"
#include "engine/text/utf8.h"

#include <doctest/doctest.h>
#include <random>

namespace tests {
namespace {

/// Everything a stream shows for `bytes` when they come in pieces of `step`.
std::string streamed(const std::string& bytes, std::size_t step)
{
    engine::Utf8Stream stream;
    std::string shown;
    for (std::size_t i = 0; i < bytes.size(); i += step) {
        const std::string now = stream.push(std::string_view(bytes).substr(i, step));
        CHECK(engine::RepairedText(now).text() == now); // whole characters only
        shown += now;
    }
    return shown + stream.finish();
}

} // namespace

TEST_CASE("the stream never shows half a character")
{
    const std::string text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z";
    for (const std::size_t step : {1U, 2U, 3U, 100U}) {
        CHECK(streamed(text, step) == text);
    }
    engine::Utf8Stream stream;
    CHECK(stream.push("\xf0\x9f") == "");
    CHECK(stream.push("\x98") == "");
    CHECK(stream.push("\x80!") == "\xf0\x9f\x98\x80!");
}

TEST_CASE("the stream replaces what can never become a character at once")
{
    engine::Utf8Stream stream;
    CHECK(stream.push("\x80") == "\xef\xbf\xbd");
    CHECK(stream.push("\xc0") == "\xef\xbf\xbd");
    CHECK(stream.push("\xff") == "\xef\xbf\xbd");
    CHECK(stream.push("\xe2") == "");
    CHECK(stream.push("a") == "\xef\xbf\xbd"
                              "a");
    CHECK(stream.push("\xed\xa0") == "\xef\xbf\xbd\xef\xbf\xbd"); // a surrogate
    CHECK(stream.push("\xe2\x82") == "");
    CHECK(stream.finish() == "\xef\xbf\xbd");
    CHECK(stream.finish() == "");
}

TEST_CASE("random bytes come out as valid text, the same for any pieces")
{
    std::mt19937 random(11);
    for (int round = 0; round < 300; ++round) {
        std::string bytes;
        for (int i = 0; i < 30; ++i) {
            constexpr unsigned char kInteresting[] = {0x41, 0x80, 0xbf, 0xc3, 0xe2, 0x82,
                                                      0xac, 0xed, 0xa0, 0xf0, 0x9f, 0xf4};
            bytes += static_cast<char>(kInteresting[random() % sizeof(kInteresting)]);
        }
        CHECK(streamed(bytes, 1) == streamed(bytes, 7));
    }
}

TEST_CASE("repaired text leads back to the original positions")
{
    const std::string original = "a\xff\xe2\x82\xac\xc3";
    const engine::RepairedText repaired(original);
    CHECK(repaired.text() == "a\xef\xbf\xbd\xe2\x82\xac\xef\xbf\xbd");
    CHECK(repaired.originalPosition(0, false) == 0);
    CHECK(repaired.originalPosition(1, false) == 1);
    CHECK(repaired.originalPosition(2, false) == 1);
    CHECK(repaired.originalPosition(2, true) == 2);
    CHECK(repaired.originalPosition(4, false) == 2);
    CHECK(repaired.originalPosition(7, false) == 5);
    CHECK(repaired.originalPosition(10, true) == 6);
}

TEST_CASE("code points are written and read back")
{
    for (const char32_t value : {U'\0', U'a', U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\ufffd',
                                 U'\U00010000', U'\U0010ffff'}) {
        std::string text;
        engine::appendUtf8(text, value);
        const auto decoded = engine::decodeUtf8(text, 0);
        CHECK(decoded.valid);
        CHECK(decoded.value == value);
        CHECK(decoded.bytes == text.size());
    }
}

} // namespace tests
