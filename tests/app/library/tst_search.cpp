#include "app/library/document_search.h"
#include "app/library/library.h"
#include "tests/app/library/sample_document.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <string>

using app::Library;
using app::searchExpression;

TEST_CASE("what was typed is words, never operators")
{
    CHECK(searchExpression("") == "");
    CHECK(searchExpression("  -- ** \" ") == "");
    CHECK(searchExpression("whale") == R"("whale"*)");
    CHECK(searchExpression("white whale ") == R"("white" AND "whale")");
    CHECK(searchExpression(R"(NOT "call me" OR)") == R"("NOT" AND "call me" AND "OR"*)");
    CHECK(searchExpression(R"("call me)") == R"("call me")");
    CHECK(searchExpression("a\nb\x01") == R"("a" AND "b")");
}

TEST_CASE("a search finds pages by words, phrases and unfinished words")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    const app::RecordId alpha = library->addDocument(tests::sampleDocument("alpha", 80), "a").id;
    const app::RecordId beta = library->addDocument(tests::sampleDocument("beta", 5), "b").id;

    const auto hits = library->search("number70");
    REQUIRE(hits.size() == 1);
    CHECK(hits[0].documentId == alpha);
    CHECK(hits[0].pageIndex == 70);
    CHECK(hits[0].pageLabel == "70");
    const std::string marked =
        std::string(1, app::kSnippetMarkBegin) + "number70" + std::string(1, app::kSnippetMarkEnd);
    CHECK(hits[0].snippet.find(marked) != std::string::npos);

    CHECK(library->search("number3 ").size() == 2);
    CHECK(library->search("number3 ", beta).size() == 1);
    CHECK(library->search("NUMBER7", alpha).size() == 11); // 7 and 70 to 79
    CHECK(library->search("groesse").empty());
    CHECK(library->search("grosse", beta).empty()); // sharp s is a letter of its own
    CHECK(library->search("größe", beta).size() == 5);
    CHECK(library->search(R"("number2 beta")").size() == 1);
    CHECK(library->search(R"("beta number2")").empty());
    CHECK(library->search("page", 0, 7).size() == 7);
}

TEST_CASE("nothing that can be typed makes a search fail")
{
    const tests::TemporaryFolder folder;
    const auto library = Library::open(folder.path());
    library->addDocument(tests::sampleDocument("alpha"), "a");
    std::string text;
    std::uint32_t state = 1;
    for (int round = 0; round < 2000; ++round) {
        text.clear();
        for (int i = 0; i < round % 23; ++i) {
            state = state * 1664525U + 1013904223U;
            constexpr std::string_view kSigns = "a\"*^:(){}+-NEAR AND\xc3\xa4\xff\0'\\";
            text += kSigns[(state >> 16U) % kSigns.size()];
        }
        CAPTURE(text);
        CHECK_NOTHROW(library->search(text));
    }
    CHECK_NOTHROW(library->search(std::string(100'000, 'x')));
    std::string many;
    for (int i = 0; i < 5000; ++i)
        many += "a ";
    CHECK_NOTHROW(library->search(many));
}
