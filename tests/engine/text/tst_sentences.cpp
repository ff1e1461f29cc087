// Where sentences end: what an answer's citations and the questions of the evaluation go by.

#include "engine/text/sentences.h"

#include <doctest/doctest.h>
#include <string>

using namespace engine;

namespace {

using Strings = std::vector<std::string>;

Strings sentencesOf(const std::string& text)
{
    Strings sentences;
    for (const ByteRange& range : splitSentences(text))
        sentences.push_back(text.substr(range.begin, range.end - range.begin));
    return sentences;
}

} // namespace

TEST_CASE("sentences end at stops and at lines, and the blanks between belong to the second")
{
    CHECK(sentencesOf("It rained. It froze! Why?") == Strings{"It rained.", " It froze!", " Why?"});
    CHECK(sentencesOf("One line\nand another.\n\n\nThird") ==
          Strings{"One line\n", "and another.", "Third"});
    CHECK(sentencesOf("No end") == Strings{"No end"});
    CHECK(sentencesOf("").empty());
    CHECK(sentencesOf(" \n\t\n").empty());
}

TEST_CASE("what closes at the stop belongs to the sentence")
{
    CHECK(sentencesOf("“No, wait! The day is long.” He sat (at last.) And rose.") ==
          Strings{"“No, wait!", " The day is long.”", " He sat (at last.)", " And rose."});
    CHECK(sentencesOf("\"Go.\" 'Now.' “‘So.’” Well.") ==
          Strings{"\"Go.\"", " 'Now.'", " “‘So.’”", " Well."});
}

TEST_CASE("a sentence goes on behind speech, titles, initials and inside numbers")
{
    CHECK(sentencesOf("“Go!” she said. He went.") == Strings{"“Go!” she said.", " He went."});
    CHECK(sentencesOf("Mr. Holmes met J. Watson. St. Paul’s is near.") ==
          Strings{"Mr. Holmes met J. Watson.", " St. Paul’s is near."});
    CHECK(sentencesOf("It costs 3.50 in all. So do I. He left.") ==
          Strings{"It costs 3.50 in all.", " So do I.", " He left."});
    CHECK(sentencesOf("Ask Dr.") == Strings{"Ask Dr."}); // an end of its own all the same
}

TEST_CASE("nothing but blanks is left out, whatever the bytes")
{
    for (const std::string& text :
         Strings{"\xe2\x80", ".\xe2\x80\x9d.\xe2", "?!.\xff .\n. \xe2\x80\x9d"}) {
        std::size_t end = 0;
        for (const ByteRange& range : splitSentences(text)) {
            CHECK(range.begin >= end);
            CHECK(range.end > range.begin);
            CHECK(text.substr(end, range.begin - end).find_first_not_of(" \n\t") ==
                  std::string::npos);
            end = range.end;
        }
        CHECK(text.substr(end).find_first_not_of(" \n\t") == std::string::npos);
    }
}
