// Thousands of damaged GGUF files, always the same ones: each is read or refused, none does harm.
// Run under the sanitizers (EPITOME_SANITIZE), a read behind the end of the file shows as well.
#include "engine/gguf/gguf_file.h"
#include "engine/gguf/gguf_writer.h"
#include "engine/text/tokenizer.h"
#include "tests/fuzz/mutator.h"

#include <array>
#include <doctest/doctest.h>
#include <set>

namespace tests {
namespace {

constexpr int kMutants = 5000;
constexpr unsigned kSeed = 20240521;

/// A small model file with a whole tokenizer in it, so that mutants reach the tokenizer's checks,
/// too.
Bytes smallFile()
{
    engine::GgufWriter writer;
    writer.setString("general.architecture", "llama");
    writer.setUint32("general.alignment", 32);
    writer.setFloat32("llama.rope.freq_base", 10000.0F);
    writer.setBool("tokenizer.ggml.add_bos_token", true);
    writer.setString("tokenizer.ggml.model", "llama");
    const std::array<std::string, 7> tokens = {"<unk>",
                                               "<s>",
                                               "</s>",
                                               "<0x0A>",
                                               "a",
                                               "\xe2\x96\x81",
                                               "\xe2\x96\x81"
                                               "a"};
    writer.setStrings("tokenizer.ggml.tokens", tokens);
    writer.setInts("tokenizer.ggml.token_type", std::array{2, 3, 3, 6, 1, 1, 1});
    writer.setFloats("tokenizer.ggml.scores", std::array{0.F, 0.F, 0.F, 0.F, -2.F, -3.F, -1.F});
    writer.setUint32("tokenizer.ggml.bos_token_id", 1);
    const Bytes data(128);
    writer.addTensor("token_embd.weight", {16, 2}, 0, data);
    writer.addTensor("blk.0.attn_q.weight", {32, 2}, 8, std::span(data).first(68));
    return writer.bytes();
}

/// Uses everything a file offers. Returns what it was refused for; empty if it was not.
std::string readWhole(const Bytes& bytes)
{
    try {
        const auto file = engine::GgufFile::parse(bytes, "mutant.gguf");
        unsigned sum = 0;
        for (const engine::GgufTensor& tensor : file->tensors()) {
            for (const std::byte value : file->data(tensor)) {
                sum += std::to_integer<unsigned>(value);
            }
        }
        const auto tokenizer = engine::Tokenizer::fromGguf(*file);
        const auto tokens = tokenizer->encode("a </s> \xff"
                                              "b",
                                              engine::SpecialTokens::Parse, true);
        CHECK(tokens.ids.size() == tokens.ranges.size());
        CHECK(tokenizer->decode(tokens.ids, true).size() + sum < 1'000'000);
        return {};
    } catch (const engine::Error& error) {
        CHECK(error.code() != engine::ErrorCode::Internal);
        return error.what();
    }
}

} // namespace

TEST_CASE("mutants of a model file are read or refused")
{
    const Bytes original = smallFile();
    REQUIRE(readWhole(original).empty());
    Mutator mutator(kSeed);
    std::set<std::string> reasons;
    int accepted = 0;
    for (int i = 0; i < kMutants; ++i) {
        // An allocation of its own, to the byte: the sanitizer then sees every step beyond it.
        const Bytes mutant = mutator.mutate(original);
        const std::string reason = readWhole(Bytes(mutant.begin(), mutant.end()));
        accepted += reason.empty() ? 1 : 0;
        reasons.insert(reason);
    }
    MESSAGE(accepted << " of " << kMutants << " accepted, " << reasons.size() << " reasons");
    // Otherwise the mutants would be all of one kind, and the test blind.
    CHECK(accepted > kMutants / 100);
    CHECK(accepted < kMutants / 2);
    CHECK(reasons.size() > 100);
}

} // namespace tests
