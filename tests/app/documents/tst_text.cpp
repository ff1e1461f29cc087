#include "app/documents/markdown_headings.h"
#include "app/documents/page_cutter.h"
#include "app/documents/text_decoding.h"
#include "app/documents/utf8.h"
#include "engine/error.h"

#include <doctest/doctest.h>
#include <random>
#include <span>
#include <string>

using namespace std::string_literals;

TEST_CASE("UTF-8 is read strictly")
{
    CHECK(app::findInvalidUtf8("naïve “text” 𝄞") == std::string::npos);
    CHECK(app::findInvalidUtf8("ab\xc0\x80") == 2);       // overlong
    CHECK(app::findInvalidUtf8("\xed\xa0\x80") == 0);     // surrogate
    CHECK(app::findInvalidUtf8("\xf4\x90\x80\x80") == 0); // above U+10FFFF
    CHECK(app::findInvalidUtf8("\xe2\x82") == 0);         // cut short
    CHECK(app::findInvalidUtf8("x\x80") == 1);            // continuation alone
    for (const char32_t codePoint :
         {U'\x7f', U'\x80', U'\x7ff', U'\x800', U'\xffff', U'\x10000', U'\x10ffff'}) {
        std::string text;
        app::appendUtf8(text, codePoint);
        CHECK(app::decodeUtf8(text).codePoint == codePoint);
        CHECK(app::decodeUtf8(text).length == text.size());
    }
}

TEST_CASE("words are counted at any white space")
{
    CHECK(app::countWords("") == 0);
    CHECK(app::countWords(" \n\t ") == 0);
    CHECK(app::countWords("one two\nthree\u00a0four\u2003five  ") == 5);
    CHECK(app::countWords("broken\xff bytes") == 2);
}

TEST_CASE("lines from outside are cleaned and cut at a character")
{
    CHECK(app::cleanLine("  a \n b\tc  ", 100) == "a b c");
    CHECK(app::cleanLine("a\xff\x01z", 100) == "a z");
    CHECK(app::cleanLine("ääää", 5) == "ää");
}

TEST_CASE("pages of a flowing text cover it and end where a reader would pause")
{
    std::string text;
    for (int paragraph = 0; paragraph < 40; ++paragraph)
        text +=
            "Paragraph " + std::to_string(paragraph) + ". " + std::string(300, 'x') + " end.\n\n";
    const auto pages = app::cutIntoPages(text);
    REQUIRE(pages.size() > 3);
    CHECK(pages.front().begin == 0);
    CHECK(pages.back().end == text.size());
    for (std::size_t i = 0; i < pages.size(); ++i) {
        CHECK(pages[i].end - pages[i].begin <= app::kReflowedPageBytes + 2);
        CHECK(text.substr(pages[i].begin, 10) == "Paragraph ");
        if (i > 0)
            CHECK(pages[i].begin == pages[i - 1].end);
    }
}

TEST_CASE("a text without any pause is cut between characters")
{
    std::string text;
    while (text.size() < 10'000)
        text += "€";
    std::size_t end = 0;
    for (const auto page : app::cutIntoPages(text, 1000)) {
        CHECK(page.begin == end);
        CHECK(page.end - page.begin <= 1000);
        CHECK(app::findInvalidUtf8(text.substr(page.begin, page.end - page.begin)) ==
              std::string::npos);
        end = page.end;
    }
    CHECK(end == text.size());
    CHECK(app::cutIntoPages("").empty());
}

TEST_CASE("a long paragraph is cut behind a sentence")
{
    std::string text;
    for (int i = 0; i < 100; ++i)
        text += "This is a sentence of “some” length. ";
    for (const auto page : app::cutIntoPages(text, 500))
        CHECK(text.substr(page.begin, 5) == "This ");
}

TEST_CASE("encodings are found and converted")
{
    const std::string german = "Über die Größe der Wälder und Flüsse: schöne Äpfel für müde Füße. ";
    const auto decode = [](std::string bytes) { return app::decodeText(std::move(bytes), "“f”"); };

    CHECK(decode(german).encoding == "UTF-8");
    CHECK(decode("\xef\xbb\xbf" + german).text == german);

    std::string latin;
    std::string little = "\xff\xfe";
    std::string big = "\xfe\xff";
    for (std::size_t at = 0; at < german.size();) {
        const app::DecodedCharacter character =
            app::decodeUtf8(std::string_view(german).substr(at));
        latin.push_back(static_cast<char>(character.codePoint));
        little += {static_cast<char>(character.codePoint), '\0'};
        big += {'\0', static_cast<char>(character.codePoint)};
        at += character.length;
    }
    CHECK(decode(little).text == german);
    CHECK(decode(little).encoding == "UTF-16LE");
    CHECK(decode(big).text == german);
    CHECK(decode(little.substr(2)).text == german);
    CHECK(decode(big.substr(2)).encoding == "UTF-16BE");
    const app::DecodedText guessed = decode(latin);
    CHECK(guessed.text == german);
    CHECK(guessed.encoding != "UTF-8");
}

TEST_CASE("line ends become line feeds and stray control characters go")
{
    CHECK(app::decodeText("a\r\nb\rc\n\x1a", "“f”").text == "a\nb\nc\n");
}

TEST_CASE("bytes that are not text are refused, whatever they are called")
{
    CHECK_THROWS_AS(app::decodeText("\x7f"
                                    "ELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0"s,
                                    "“f”"),
                    engine::Error);
    CHECK_THROWS_AS(app::decodeText("some text, then \0 zero \0 bytes \0 here"s, "“f”"),
                    engine::Error);
    std::mt19937 random(1);
    std::string noise(5000, ' ');
    for (char& byte : noise)
        byte = static_cast<char>(random());
    CHECK_THROWS_AS(app::decodeText(noise, "“f”"), engine::Error);
}

TEST_CASE("headings of Markdown are found outside of code")
{
    const std::string text =
        "---\ntitle: x\n---\n# One #\ntext\n\n```\n# not this\n```\n    # nor this\n"
        "Two\n===\n\n## **Three**\n#hash\n####### seven\n- item\n---\n~~~~\n# no\n~~~\n~~~~\n"
        "Four\n---\n#\n";
    const auto headings = app::findMarkdownHeadings(text);
    REQUIRE(headings.size() == 4);
    CHECK(headings[0].title == "One");
    CHECK(headings[0].level == 1);
    CHECK(headings[1].title == "Two");
    CHECK(text.substr(headings[1].offset, 3) == "Two");
    CHECK(headings[2].title == "Three");
    CHECK(headings[2].level == 2);
    CHECK(headings[3].title == "Four");
    CHECK(headings[3].level == 2);
}
