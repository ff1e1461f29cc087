// Thousands of damaged safetensors files, always the same ones: each is read or refused, none does
// harm. Under the sanitizers a read behind the end of the file shows as well.
#include "engine/error.h"
#include "engine/safetensors/safetensors_file.h"
#include "engine/safetensors/safetensors_writer.h"
#include "tests/fuzz/mutator.h"

#include <doctest/doctest.h>
#include <set>
#include <string>

namespace tests {
namespace {

constexpr int kMutants = 5000;
constexpr unsigned kSeed = 20241127;

Bytes smallFile()
{
    engine::SafetensorsWriter writer;
    writer.setMetadata("format", "pt");
    writer.setMetadata("config", R"({"beacon_window": 8, "beacon_ratio": [2, 4]})");
    const Bytes data(512);
    writer.addTensor("model.beacon_embed_tokens.weight", "F32", {1, 16}, std::span(data).first(64));
    writer.addTensor("model.layers.0.self_attn.beacon_q_proj.weight", "BF16", {16, 16}, data);
    writer.addTensor("model.layers.0.self_attn.beacon_q_proj.bias", "F16", {16},
                     std::span(data).first(32));
    writer.addTensor("empty", "I64", {0, 3}, {});
    return writer.bytes();
}

/// Uses everything a file offers. Returns what it was refused for; empty if it was not.
std::string readWhole(const Bytes& bytes)
{
    try {
        const auto file = engine::SafetensorsFile::parse(bytes, "mutant.safetensors");
        unsigned sum = 0;
        std::size_t total = 0;
        for (const engine::SafetensorsTensor& tensor : file->tensors()) {
            CHECK(file->findTensor(tensor.name) == &tensor);
            for (const std::byte value : file->data(tensor))
                sum += std::to_integer<unsigned>(value);
            total += tensor.bytes;
        }
        CHECK(total < bytes.size());
        CHECK(sum <= 255 * bytes.size());
        return {};
    } catch (const engine::Error& error) {
        CHECK((error.code() == engine::ErrorCode::Damaged ||
               error.code() == engine::ErrorCode::Unsupported));
        return error.what();
    }
}

} // namespace

TEST_CASE("mutants of a safetensors file are read or refused")
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
