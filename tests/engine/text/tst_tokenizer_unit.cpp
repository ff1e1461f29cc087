#include "engine/text/bpe_merger.h"
#include "tests/engine/text/tokenizer_fixtures.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <random>

namespace tests {
namespace {

using engine::ByteRange;
using engine::SpecialTokens;
using Ids = std::vector<std::int32_t>;
using Ranges = std::vector<ByteRange>;

const std::string kMark = "\xe2\x96\x81";

std::string refusal(const engine::GgufWriter& writer)
{
    try {
        makeTokenizer(writer);
    } catch (const engine::Error& error) {
        return error.what();
    }
    return "accepted";
}

/// A run of one byte, in which every pair of equal symbols of up to 32 bytes merges.
VocabularyDraft doublingDraft(std::vector<std::string>& merges)
{
    VocabularyDraft draft = bpeDraft();
    for (std::size_t half = 1; half <= 16; half *= 2) {
        draft.add(std::string(2 * half, 'A'));
        merges.push_back(std::string(half, 'A') + " " + std::string(half, 'A'));
    }
    return draft;
}

} // namespace

TEST_CASE("SentencePiece merges the best score first and falls back to bytes")
{
    VocabularyDraft draft = spmDraft();
    const auto a = draft.add("a", 1, -10);
    const auto b = draft.add("b", 1, -11);
    const auto c = draft.add("c", 1, -12);
    const auto space = draft.add(kMark, 1, -13);
    const auto bc = draft.add("bc", 1, -1);
    draft.add("ab", 1, -2);
    const auto spaceA = draft.add(kMark + "a", 1, -3);
    const auto tokenizer = makeTokenizer(spmWriter(draft));

    const auto plain = tokenizer->encode("abc", SpecialTokens::AsText, false);
    CHECK(plain.ids == Ids{spaceA, bc});
    CHECK(plain.ranges == Ranges{{0, 1}, {1, 3}});

    const auto withBos = tokenizer->encode("c \xc3\xa9"
                                           "b",
                                           SpecialTokens::AsText, true);
    CHECK(withBos.ids == Ids{1, space, c, space, 3 + 0xc3, 3 + 0xa9, b});
    CHECK(withBos.ranges == Ranges{{0, 0}, {0, 0}, {0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}});
    CHECK(tokenizer->decode(withBos.ids, false) == " c \xc3\xa9"
                                                   "b");
    CHECK(tokenizer->encode("", SpecialTokens::AsText, false).ids.empty());
    CHECK(tokenizer->encode("\xff", SpecialTokens::AsText, false).ids == Ids{space, 3 + 0xff});
    CHECK(tokenizer->piece(a, false) == "a");
}

TEST_CASE("a document cannot form a control token")
{
    VocabularyDraft draft = spmDraft();
    for (const char* piece : {"<", "/", "s", ">", "</", "</s"}) {
        draft.add(piece, 1, -1);
    }
    const auto user = draft.add("<mark>", 4);
    const auto tokenizer = makeTokenizer(spmWriter(draft));

    CHECK(tokenizer->encode("</s>", SpecialTokens::Parse, false).ids == Ids{2});
    for (const std::int32_t id : tokenizer->encode("</s>", SpecialTokens::AsText, false).ids) {
        CHECK_FALSE(tokenizer->isControl(id));
    }
    CHECK(tokenizer->encode("<mark>", SpecialTokens::AsText, false).ids == Ids{user});
    CHECK(tokenizer->piece(2, true) == "</s>");
    CHECK(tokenizer->piece(2, false).empty());
    CHECK(tokenizer->isEndOfGeneration(2));
}

TEST_CASE("end-of-turn names are control tokens whatever the file says")
{
    VocabularyDraft draft = bpeDraft();
    const auto end = draft.add("<|im_end|>", 4);
    const auto fill = draft.add("<|fim_prefix|>", 1);
    const auto tokenizer = makeTokenizer(bpeWriter(draft, "qwen2", {}));
    CHECK(tokenizer->isControl(end));
    CHECK(tokenizer->isEndOfGeneration(end));
    CHECK(tokenizer->isControl(fill));
    CHECK_FALSE(tokenizer->isEndOfGeneration(fill));
    CHECK(tokenizer->encode("<|im_end|>", SpecialTokens::AsText, false).ids.size() == 10);
    CHECK(tokenizer->encode("<|im_end|>", SpecialTokens::Parse, false).ids == Ids{end});
}

TEST_CASE("byte-level BPE merges in the order of the list and knows where each token comes from")
{
    VocabularyDraft draft = bpeDraft();
    const auto he = draft.add("he");
    draft.add("ll");
    const auto llo = draft.add("llo");
    const std::vector<std::string> merges = {"h e", "l l", "ll o", "he llo"};
    const auto tokenizer = makeTokenizer(bpeWriter(draft, "gpt-2", merges));

    const auto tokens = tokenizer->encode("hello\xff!", SpecialTokens::AsText, true);
    // "hello" is no token, so the merge of the two halves falls apart into bytes.
    CHECK(tokens.ids == Ids{'h', 'e', 'l', 'l', 'o', 0xef, 0xbf, 0xbd, '!'});
    CHECK(tokens.ranges[5] == ByteRange{5, 6});
    CHECK(tokens.ranges[7] == ByteRange{5, 6});
    CHECK(tokens.ranges[8] == ByteRange{6, 7});
    CHECK(tokenizer->encode("hell", SpecialTokens::AsText, false).ids.front() == he);
    CHECK(tokenizer->encode("llo", SpecialTokens::AsText, false).ids == Ids{llo});
}

TEST_CASE("llama-bpe takes a whole word before it merges and adds BOS by itself")
{
    VocabularyDraft draft = bpeDraft();
    const auto word = draft.add(inByteAlphabet(" word"));
    const auto bos = draft.add("<|begin_of_text|>", 3);
    auto writer = bpeWriter(draft, "llama-bpe", {});
    writer.setUint32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(bos));
    const auto tokenizer = makeTokenizer(writer);
    CHECK(tokenizer->encode(" word", SpecialTokens::AsText, true).ids == Ids{bos, word});
    writer.setBool("tokenizer.ggml.add_bos_token", false);
    CHECK(makeTokenizer(writer)->encode(" word", SpecialTokens::AsText, true).ids == Ids{word});
}

TEST_CASE("millions of equal characters need neither recursion nor a quadratic search")
{
    std::vector<std::string> merges;
    const auto tokenizer = makeTokenizer(bpeWriter(doublingDraft(merges), "gpt-2", merges));
    constexpr std::size_t kCount = 2'000'003;
    const auto tokens = tokenizer->encode(std::string(kCount, 'A'), SpecialTokens::AsText, false);
    CHECK(tokens.ids.size() == kCount / 32 + 2); // the rest of three is AA and A
    CHECK(tokens.ranges.back() == ByteRange{kCount - 1, kCount});
}

TEST_CASE("random bytes survive encoding and decoding")
{
    std::vector<std::string> merges;
    const auto bpe = makeTokenizer(bpeWriter(doublingDraft(merges), "llama-bpe", merges));
    const auto spm = makeTokenizer(spmWriter(spmDraft()));
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        std::string bytes;
        std::string ascii;
        for (std::size_t i = random() % 40; i > 0; --i) {
            bytes += static_cast<char>(random() % 256);
            ascii += static_cast<char>(random() % 128);
        }
        const auto tokens = spm->encode(bytes, SpecialTokens::AsText, false);
        CHECK(spm->decode(tokens.ids, false) == (bytes.empty() ? "" : kMark + [&] {
                  std::string marked; // no token for the space mark: it comes back as its bytes
                  for (const char c : bytes) {
                      marked += c == ' ' ? kMark : std::string(1, c);
                  }
                  return marked;
              }()));
        CHECK(bpe->decode(bpe->encode(ascii, SpecialTokens::Parse, false).ids, true) == ascii);
    }
}

TEST_CASE("the hash depends on every part of the vocabulary")
{
    const VocabularyDraft draft = bpeDraft();
    const auto hashOf = [](const engine::GgufWriter& writer) {
        return makeTokenizer(writer)->hash();
    };
    const std::string hash = hashOf(bpeWriter(draft, "gpt-2", {"h e"}));
    CHECK(hash.size() == 64);
    CHECK(hash == hashOf(bpeWriter(draft, "gpt-2", {"h e"})));
    CHECK(hash != hashOf(bpeWriter(draft, "gpt-2", {"e h"})));
    CHECK(hash != hashOf(bpeWriter(draft, "qwen2", {"h e"})));
    VocabularyDraft control = draft;
    control.kinds[65] = 3;
    CHECK(hash != hashOf(bpeWriter(control, "gpt-2", {"h e"})));
    auto withEos = bpeWriter(draft, "gpt-2", {"h e"});
    withEos.setUint32("tokenizer.ggml.eos_token_id", 0);
    CHECK(hash != hashOf(withEos));
    VocabularyDraft spm = spmDraft();
    const std::string spmHash = hashOf(spmWriter(spm));
    spm.scores[100] = -5;
    CHECK(spmHash != hashOf(spmWriter(spm)));
}

TEST_CASE("a damaged tokenizer is refused with its key")
{
    const VocabularyDraft spm = spmDraft();
    auto writer = spmWriter(spm);
    writer.setUint32("tokenizer.ggml.bos_token_id", 259);
    CHECK(refusal(writer).find("tokenizer.ggml.bos_token_id is 259") != std::string::npos);

    writer = spmWriter(spm);
    writer.setFloats("tokenizer.ggml.scores", std::vector<float>(3));
    CHECK(refusal(writer).find("tokenizer.ggml.scores") != std::string::npos);
    writer.setFloats("tokenizer.ggml.scores", std::vector<float>(259, NAN));
    CHECK(refusal(writer).find("not a number") != std::string::npos);

    writer = spmWriter(spm);
    writer.setInts("tokenizer.ggml.token_type", std::vector<std::int32_t>(258, 1));
    CHECK(refusal(writer).find("tokenizer.ggml.token_type") != std::string::npos);

    VocabularyDraft badByte = spm;
    badByte.texts[10] = "<0x-1>";
    CHECK(refusal(spmWriter(badByte)).find("token 10") != std::string::npos);
    badByte.texts[10] = std::string(2000, 'x');
    CHECK(refusal(spmWriter(badByte)).find("2000 bytes") != std::string::npos);

    CHECK(refusal(bpeWriter(bpeDraft(), "gpt-2", {"nospace"})).find("merges") != std::string::npos);
    CHECK(refusal(bpeWriter(bpeDraft(), "klingon", {})).find("klingon") != std::string::npos);
    writer.setString("tokenizer.ggml.model", "t5");
    CHECK(refusal(writer).find("\"t5\"") != std::string::npos);
    CHECK_THROWS_AS(makeTokenizer(spmWriter(spm))->piece(259, true), engine::Error);
    CHECK_THROWS_AS(makeTokenizer(spmWriter(spm))->piece(-1, true), engine::Error);
}

TEST_CASE("the rank queue returns the lowest rank, then the lowest position")
{
    engine::RankQueue queue(100);
    std::vector<std::pair<std::uint32_t, std::uint32_t>> expected;
    std::mt19937 random(3);
    for (int i = 0; i < 3000; ++i) {
        const auto rank = static_cast<std::uint32_t>(random() % 100);
        const auto position = static_cast<std::uint32_t>(random() % 1000);
        queue.push({rank, position});
        expected.emplace_back(rank, position);
        if (i % 3 == 0) {
            const auto lowest = std::min_element(expected.begin(), expected.end());
            const auto entry = queue.pop();
            REQUIRE(std::pair(entry.rank, entry.position) == *lowest);
            expected.erase(lowest);
        }
    }
    std::sort(expected.begin(), expected.end());
    for (const auto& pair : expected) {
        const auto entry = queue.pop();
        REQUIRE(std::pair(entry.rank, entry.position) == pair);
    }
    CHECK(queue.empty());
}

} // namespace tests
