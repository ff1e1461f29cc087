#include "engine/dialog/stop_strings.h"

#include <doctest/doctest.h>

using engine::StopStrings;

namespace {

/// Feeds the text in pieces of `size` bytes; the result with " STOP" if a stop string ended it.
std::string run(const std::vector<std::string>& stops, std::string_view text, std::size_t size)
{
    StopStrings matcher(stops);
    std::string out;
    for (std::size_t at = 0; at < text.size(); at += size) {
        out += matcher.push(text.substr(at, size));
    }
    out += matcher.finish();
    return matcher.isStopped() ? out + " STOP" : out;
}

} // namespace

TEST_CASE("the result does not depend on the pieces")
{
    struct Case
    {
        std::vector<std::string> stops;
        std::string text, expected;
    };
    const Case cases[] = {
        {{"</s>"}, "an answer</s>and more", "an answer STOP"},
        {{"</s>"}, "a < b </ s> </s", "a < b </ s> </s"},
        {{"aab"}, "aaaab", "aa STOP"},
        {{"abab", "ba"}, "xabab", "xa STOP"},
        {{"abcd", "bc"}, "zabcd", "za STOP"},
        {{"b", "ab"}, "zab", "z STOP"},
        {{"\nUser:", "\n\n\n"}, "one\n\ntwo\nUser: three", "one\n\ntwo STOP"},
        {{}, "nothing stops this", "nothing stops this"},
        {{""}, "nor this", "nor this"},
        {{"x"}, "x", " STOP"},
    };
    for (const Case& c : cases) {
        for (std::size_t size = 1; size <= c.text.size(); ++size) {
            CAPTURE(c.text);
            CAPTURE(size);
            CHECK(run(c.stops, c.text, size) == c.expected);
        }
    }
}

TEST_CASE("only what may begin a stop string is held back")
{
    StopStrings matcher({"<end>"});
    CHECK(matcher.push("text <e") == "text ");
    CHECK(matcher.push("n") == "");
    CHECK(matcher.push("t") == "<ent");
    CHECK(matcher.push("<<end") == "<");
    CHECK(matcher.push(">tail") == "");
    CHECK(matcher.isStopped());
    CHECK(matcher.push("more") == "");
    CHECK(matcher.finish() == "");
}
