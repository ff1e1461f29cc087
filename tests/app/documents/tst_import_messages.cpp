#include "app/documents/document_builder.h"
#include "app/documents/import_limits.h"
#include "app/documents/import_messages.h"
#include "engine/error.h"

#include <doctest/doctest.h>
#include <functional>
#include <random>
#include <string>
#include <vector>

using engine::Error;
using engine::ErrorCode;

namespace {

app::PageContent pageOf(const std::string& text, const std::string& label)
{
    app::PageContent content;
    content.text = text;
    content.page.label = label;
    content.page.range = {0, static_cast<std::uint32_t>(text.size())};
    return content;
}

/// A document of two pages with boxes, as the worker would send it.
void describe(app::ImportSink& sink)
{
    sink.begin({.kind = app::DocumentKind::Pdf,
                .title = "Title “with” quotes\\",
                .author = "A",
                .detectedEncoding = {},
                .pagesTotal = 2});
    app::PageContent first = pageOf("Größe two\n", "iv");
    first.page.width = 432.5;
    first.page.height = 648;
    first.page.words = {{{0, 7}, 1.25F, 2.5F, 30.01F, 9.99F}, {{8, 11}, -3, 0, 12, 10}};
    sink.addPage(first);
    app::PageContent second = pageOf("", "v");
    second.page.blank = true;
    sink.addPage(second);
    sink.setOutline({{"One", 0, 0}, {"Two", 1, 1}});
    sink.addWarning("Beware.");
}

std::vector<std::string> linesOf(const std::function<void(app::MessageWriter&)>& write)
{
    std::vector<std::string> lines;
    app::MessageWriter writer([&lines](const std::string& line) {
        REQUIRE(line.find('\n') == line.size() - 1);
        lines.push_back(line.substr(0, line.size() - 1));
    });
    write(writer);
    return lines;
}

app::DocumentBuilder makeBuilder()
{
    return app::DocumentBuilder("“f.pdf”", {}, {});
}

ErrorCode refusal(const std::vector<std::string>& lines)
{
    app::DocumentBuilder builder = makeBuilder();
    app::MessageReader reader(builder);
    try {
        for (const std::string& line : lines)
            reader.readLine(line);
    } catch (const Error& error) {
        return error.code();
    }
    FAIL("accepted: " << lines.back());
    return ErrorCode::Internal;
}

const std::string kBegin =
    R"({"begin":{"kind":"pdf","title":"t","author":"","encoding":"","pages":1}})";

std::string page(const std::string& text, const std::string& words)
{
    return R"({"page":{"label":"1","text":")" + text +
           R"(","width":10000,"height":10000,"blank":false,"words":[)" + words + "]}}";
}

} // namespace

TEST_CASE("a document survives the way through messages")
{
    app::DocumentBuilder direct = makeBuilder();
    describe(direct);
    app::DocumentBuilder received = makeBuilder();
    app::MessageReader reader(received);
    for (const std::string& line : linesOf([](app::MessageWriter& writer) {
             describe(writer);
             writer.finish();
         }))
        reader.readLine(line);
    CHECK(reader.isFinished());
    const bool equal = received.finish("hash") == direct.finish("hash");
    CHECK(equal);
}

TEST_CASE("a refusal keeps its code and sentence")
{
    const auto lines = linesOf([](app::MessageWriter& writer) {
        writer.fail(Error(ErrorCode::TooLarge, "“f.pdf” is too “large”.", "detail \xff"));
    });
    CHECK(refusal(lines) == ErrorCode::TooLarge);
}

TEST_CASE("messages that contradict themselves are refused")
{
    CHECK(refusal({"null"}) == ErrorCode::Damaged);
    CHECK(refusal({"{}"}) == ErrorCode::Damaged);
    CHECK(refusal({R"({"page":{}})"}) == ErrorCode::Damaged);
    CHECK(refusal({R"({"unknown":1})"}) == ErrorCode::Damaged);
    CHECK(refusal({R"({"error":{"code":99,"sentence":"","detail":""}})"}) == ErrorCode::Damaged);
    CHECK(refusal({page("abc", "")}) == ErrorCode::Damaged); // before the header
    CHECK(refusal({kBegin, kBegin}) == ErrorCode::Damaged);
    CHECK(refusal({R"({"done":true})", kBegin}) == ErrorCode::Damaged);
    CHECK(refusal({kBegin, R"({"outline":[["x",0,0]]})"}) == ErrorCode::Damaged); // no such page
    CHECK(refusal({kBegin, page("a\\u0000b", "")}) == ErrorCode::Damaged);
    for (const char* words :
         {"0,4,0,0,1,1", "2,1,0,0,1,1", "1,1,0,0,1,1", "-1,1,0,0,1,1", "0,1,0,0,-1,1", "0,1,0,0,1",
          "0,1,0.5,0,1,1", "0,1,1e300,0,1,1", "0,2,0,0,1,1,1,3,0,0,1,1",
          "0,1,99999999999999999999,0,1,1", "0,18446744073709551615,0,0,1,1", "\"0\",1,0,0,1,1"}) {
        CAPTURE(words);
        CHECK(refusal({kBegin, page("abc", words)}) == ErrorCode::Damaged);
    }
    CHECK(refusal({kBegin, page("ä", "0,1,0,0,1,1")}) == ErrorCode::Damaged); // half a character
}

TEST_CASE("more than a document may have is refused")
{
    CHECK(
        refusal(
            {R"({"begin":{"kind":"pdf","title":"t","author":"","encoding":"","pages":1000000}})"}) ==
        ErrorCode::TooLarge);
    CHECK(refusal({kBegin, page(std::string(app::ImportLimits::kPageTextBytes + 1, 'x'), "")}) ==
          ErrorCode::TooLarge);
}

TEST_CASE("messages with random changes are accepted or refused, nothing else")
{
    const std::vector<std::string> good =
        linesOf([](app::MessageWriter& writer) { describe(writer); });
    std::mt19937 random(3);
    int refused = 0;
    for (int round = 0; round < 3000; ++round) {
        std::vector<std::string> lines = good;
        std::string& line = lines[random() % lines.size()];
        for (std::size_t change = random() % 3 + 1; change > 0; --change) {
            const std::size_t at = random() % line.size();
            if (random() % 2 == 0)
                line[at] = static_cast<char>(random());
            else
                line[at] = "0123456789-[]{},:\""[random() % 18];
        }
        app::DocumentBuilder builder = makeBuilder();
        app::MessageReader reader(builder);
        try {
            for (const std::string& message : lines)
                reader.readLine(message);
            builder.finish("");
        } catch (const Error&) {
            ++refused;
        }
    }
    CHECK(refused > 1000);
    CHECK(refused < 3000);
}
