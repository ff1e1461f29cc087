// Thousands of damaged GGUF files, always the same ones: each is read or refused, none does harm.
// Run under the sanitizers (EPITOME_SANITIZE), a read behind the end of the file shows as well.
#include "engine/gguf/gguf_file.h"
#include "engine/gguf/gguf_writer.h"
#include "engine/text/tokenizer.h"

#include <array>
#include <cstring>
#include <doctest/doctest.h>
#include <random>
#include <set>

namespace tests {
namespace {

using Bytes = std::vector<std::byte>;

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

class Mutator
{
public:
    explicit Mutator(unsigned seed)
        : m_random(seed)
    {}

    Bytes mutate(Bytes bytes)
    {
        const std::size_t steps = 1 + m_random() % 4;
        for (std::size_t i = 0; i < steps && !bytes.empty(); ++i) {
            step(bytes);
        }
        return bytes;
    }

private:
    std::size_t below(std::size_t limit) { return m_random() % limit; }

    void step(Bytes& bytes)
    {
        switch (below(6)) {
        case 0: // one bit
            bytes[below(bytes.size())] ^= static_cast<std::byte>(1U << below(8));
            break;
        case 1: // one byte
            bytes[below(bytes.size())] = static_cast<std::byte>(below(256));
            break;
        case 2: // cut off
            bytes.resize(below(bytes.size() + 1));
            break;
        case 3:
            overwriteNumber(bytes);
            break;
        case 4: // a piece of the file moves over another one
            splice(bytes);
            break;
        default: // something in between is missing
            const std::size_t begin = below(bytes.size());
            const std::size_t count = std::min(below(16) + 1, bytes.size() - begin);
            const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(begin);
            bytes.erase(first, first + static_cast<std::ptrdiff_t>(count));
        }
    }

    /// Counts, lengths, dimensions, types and offsets are all numbers of four or eight bytes.
    void overwriteNumber(Bytes& bytes)
    {
        constexpr std::array<std::uint64_t, 12> kExtremes = {0,
                                                             1,
                                                             0x7fffffff,
                                                             0x80000000,
                                                             0xffffffff,
                                                             0x100000000,
                                                             1ULL << 40U,
                                                             1ULL << 61U,
                                                             0x7fffffffffffffff,
                                                             0x8000000000000000,
                                                             0xfffffffffffffff0,
                                                             0xffffffffffffffff};
        const std::uint64_t number = kExtremes[below(kExtremes.size())];
        const std::size_t width = below(2) == 0 ? 4 : 8;
        if (bytes.size() >= width) {
            std::memcpy(bytes.data() + below(bytes.size() - width + 1), &number, width);
        }
    }

    void splice(Bytes& bytes)
    {
        const std::size_t count = std::min(below(64) + 1, bytes.size());
        const std::size_t from = below(bytes.size() - count + 1);
        const std::size_t to = below(bytes.size() - count + 1);
        std::memmove(bytes.data() + to, bytes.data() + from, count);
    }

    std::mt19937 m_random;
};

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
