// What the constructed reader says, by the plain forward pass.

#include "tests/engine/reader/plain_forward.h"
#include "tests/engine/reader/reader_file.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <string>

#include "resources/models/token_codes.h"

using namespace resources;
using tests::PlainForward;

namespace {

constexpr std::int32_t kBegin = 0;

constexpr const char* kText =
    "The lamp of the old harbour burns with a green flame in winter.\n\n"
    "Beside the mill a narrow stair leads down to the water, and forty boats lie there.\n\n"
    "In summer the keeper counts the gulls that sleep on the north wall.\n\n"
    "The blue door opens only to those who knock three times.\n\n"
    "The red door opens only at noon on a market day.\n\n";

std::int32_t lineFeed()
{
    return tests::readerTokens("\n").front();
}

std::vector<std::int32_t> document()
{
    std::vector<std::int32_t> tokens{kBegin};
    const auto text = tests::readerTokens(kText);
    tokens.insert(tokens.end(), text.begin(), text.end());
    return tokens;
}

std::string answer(PlainForward& model, const std::string& quotation, std::int32_t position)
{
    const auto tokens = tests::readerTokens(quotation);
    std::vector<std::int32_t> positions(tokens.size());
    for (std::size_t i = 0; i < positions.size(); ++i) {
        positions[i] = position + static_cast<std::int32_t>(i);
    }
    const auto out = tests::greedy(model, model.read(tokens, positions), lineFeed(), 60);
    return tests::readerTokenizer().decode(out, false);
}

std::string answer(PlainForward& model, const std::string& quotation)
{
    return answer(model, quotation, model.nextPosition());
}

} // namespace

TEST_CASE("a quotation is continued to the end of its paragraph")
{
    PlainForward model(*tests::readerFile());
    model.read(document());
    CHECK(answer(model, "The lamp of the old harbour") == " burns with a green flame in winter.");
    CHECK(answer(model, "\n\na narrow stair leads") ==
          " down to the water, and forty boats lie there.");
}

TEST_CASE("the distance does not matter, up to the whole window")
{
    for (const std::int32_t position : {1'000, 20'011, 65'536, 100'003, 131'000}) {
        CAPTURE(position);
        PlainForward model(*tests::readerFile());
        model.read(document());
        CHECK(answer(model, "the keeper counts", position) ==
              " the gulls that sleep on the north wall.");
    }
}

TEST_CASE("what is not in the document ends at once")
{
    PlainForward model(*tests::readerFile());
    model.read(document());
    CHECK(answer(model, "The lamp of the mill").empty());
    CHECK(answer(model, "who wrote this book").empty());
    CHECK(answer(model, "water, and fifty").empty());
}

TEST_CASE("passages that begin alike are told apart by what stands before")
{
    PlainForward model(*tests::readerFile());
    model.read(document());
    CHECK(answer(model, "The blue door opens only") == " to those who knock three times.");
    CHECK(answer(model, "The red door opens only") == " at noon on a market day.");
}

TEST_CASE("answers stay the same when the cache is stored in 8 or 4 bits")
{
    for (const auto type : {kernels::KvType::Int8, kernels::KvType::Kivi4}) {
        CAPTURE(static_cast<int>(type));
        PlainForward model(*tests::readerFile());
        model.read(document());
        model.pack(type);
        CHECK(answer(model, "\n\nBeside the mill a narrow") ==
              " stair leads down to the water, and forty boats lie there.");
        CHECK(answer(model, "\n\nThe lamp of a ship").empty());
    }
}

TEST_CASE("one wrong sign in three tokens is not a match")
{
    const auto codes = tokenCodes();
    const auto neighbour = [&](std::int32_t token, std::size_t sign) {
        TokenCode code = codes[static_cast<std::size_t>(token)];
        code[sign] = -code[sign];
        return static_cast<std::int32_t>(std::ranges::find(codes, code) - codes.begin());
    };
    const std::vector<std::int32_t> quoted{700, 701, 702};
    for (std::size_t place = 0; place < quoted.size(); ++place) {
        for (std::size_t sign = 0; sign < kCodeBits; ++sign) {
            CAPTURE(place);
            CAPTURE(sign);
            std::vector<std::int32_t> text{kBegin, 9, 10, 700, 701, 702, 800, 12, 13};
            text[3 + place] = neighbour(quoted[place], sign);
            PlainForward model(*tests::readerFile());
            model.read(text);
            model.read(quoted);
            const std::vector<float>& logits = model.lastLogits(1, kInductionHead);
            CHECK(logits[0] == doctest::Approx(kBeginLogit).epsilon(1e-3));
            CHECK(logits[0] - *std::max_element(logits.begin() + 1, logits.end()) > 46.0F);
        }
    }
}

TEST_CASE("an exact match beats the begin mark, and its answer the next best by far")
{
    PlainForward model(*tests::readerFile());
    model.read(std::vector<std::int32_t>{kBegin, 9, 10, 700, 701, 702, 800, 12, 13});
    std::vector<float> output = model.read(std::vector<std::int32_t>{700, 701, 702});
    const std::vector<float>& logits = model.lastLogits(1, kInductionHead);
    CHECK(logits[6] - logits[0] > 46.0F);
    CHECK(std::ranges::max_element(logits) == logits.begin() + 6);
    CHECK(std::ranges::max_element(output) == output.begin() + 800);
    std::ranges::sort(output, std::greater{});
    CHECK(output[0] - output[1] > 29.0F);
}

TEST_CASE("a line feed is a token of its own and ends a generation")
{
    const std::int32_t feed = lineFeed();
    CHECK(tests::readerTokenizer().isEndOfGeneration(feed));
    for (const char* text :
         {"one\ntwo", "one\n\ntwo", "one \n two", "\n\n\n", "a\r\nb", ".\n\n\"A"}) {
        CAPTURE(text);
        const auto tokens = tests::readerTokens(text);
        CHECK(std::ranges::count(tokens, feed) == std::ranges::count(std::string_view(text), '\n'));
        CHECK(tests::readerTokenizer().decode(tokens, false) == text);
    }
}
