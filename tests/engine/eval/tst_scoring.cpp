// How answers are compared, and the interval of a share.

#include "engine/eval/csv.h"
#include "engine/eval/scoring.h"

#include <doctest/doctest.h>

using namespace engine;

TEST_CASE("answers are compared without case, blanks and punctuation at the ends")
{
    CHECK(normalisedAnswer("  Is  \"Amber\".\n") == "is \"amber");
    CHECK(isExact("Amber.", {"basalt", "amber"}));
    CHECK_FALSE(isExact("amber and more", {"amber"}));
    CHECK(isExact("", {"", "That is not in this document."}));
    CHECK(isExact("that is not in this document", {"", "That is not in this document."}));
    CHECK_FALSE(isExact("amber-48213", {"amber-48214"}));
}

TEST_CASE("token F1 is the harmonic mean over words, the best of the accepted answers")
{
    CHECK(tokenF1("the red horse", {"the red horse"}) == doctest::Approx(1));
    // precision 2/4, recall 2/3
    CHECK(tokenF1("a red horse ran", {"the red horse"}) ==
          doctest::Approx(2 * 0.5 * (2.0 / 3) / (0.5 + 2.0 / 3)));
    CHECK(tokenF1("red red red", {"red"}) == doctest::Approx(0.5));
    CHECK(tokenF1("blue", {"red"}) == 0);
    CHECK(tokenF1("", {"red"}) == 0);
    CHECK(tokenF1("", {"", "red"}) == 1);
    CHECK(tokenF1("red", {"blue", "red"}) == 1);
}

TEST_CASE("Wilson intervals agree with published ones")
{
    // Newcombe 1998, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    CHECK(wilsonInterval(81, 263).low == doctest::Approx(0.2553).epsilon(0.001));
    CHECK(wilsonInterval(81, 263).high == doctest::Approx(0.3662).epsilon(0.001));
    CHECK(wilsonInterval(15, 148).low == doctest::Approx(0.0624).epsilon(0.001));
    CHECK(wilsonInterval(15, 148).high == doctest::Approx(0.1605).epsilon(0.001));
    CHECK(wilsonInterval(0, 20).low == 0);
    CHECK(wilsonInterval(0, 20).high == doctest::Approx(0.1611).epsilon(0.001));
    CHECK(wilsonInterval(1, 29).low == doctest::Approx(0.0061).epsilon(0.01));
    CHECK(wilsonInterval(1, 29).high == doctest::Approx(0.1718).epsilon(0.001));
    CHECK(wilsonInterval(0, 0).high == 1);
}

TEST_CASE("fields of a line come back as they were")
{
    const std::vector<std::string> fields{"a", "", "b, \"c\"", "d"};
    const std::string line = csvLine(fields);
    CHECK(line == "a,,\"b, \"\"c\"\"\",d\n");
    CHECK(csvFields(line.substr(0, line.size() - 1)) == fields);
    CHECK(csvLine({"two\nlines"}) == "\"two lines\"\n");
}
