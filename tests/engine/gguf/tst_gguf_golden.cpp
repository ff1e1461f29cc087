// Every golden model opens, and the block sizes are those of the reference.
#include "engine/gguf/gguf_file.h"
#include "engine/gguf/gguf_tensor_type.h"

#include <doctest/doctest.h>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tests {
namespace {

const std::filesystem::path kGoldens = std::filesystem::path(SHARED_DIR) / "goldens";

bool goldensAreMissing()
{
    if (std::filesystem::exists(kGoldens / "quants" / "index.json")) {
        return false;
    }
    MESSAGE("SKIP   : no golden files in " << kGoldens.string());
    return true;
}

} // namespace

TEST_CASE("all golden models open and end with their last tensor")
{
    if (goldensAreMissing()) {
        return;
    }
    int models = 0;
    for (const auto& entry : std::filesystem::directory_iterator(kGoldens / "models")) {
        if (entry.path().extension() != ".gguf") {
            continue;
        }
        CAPTURE(entry.path().string());
        const auto file = engine::GgufFile::open(entry.path());
        REQUIRE_FALSE(file->tensors().empty());
        const engine::GgufTensor& last = file->tensors().back();
        constexpr std::uint64_t kLargestPadding = 64;
        CHECK(entry.file_size() - (last.offset + last.bytes) < kLargestPadding);
        CHECK(file->data(last).size() == last.bytes);
        ++models;
    }
    CHECK(models == 40);
}

TEST_CASE("block sizes of all golden types")
{
    if (goldensAreMissing()) {
        return;
    }
    std::ifstream index(kGoldens / "quants" / "index.json");
    const auto types = nlohmann::json::parse(index)["types"];
    CHECK(types.size() == 24);
    for (const auto& [name, expected] : types.items()) {
        CAPTURE(name);
        const auto* const type =
            engine::findGgufTensorType(expected["ggml_type"].get<std::uint32_t>());
        REQUIRE(type != nullptr);
        CHECK(type->name == name);
        CHECK(type->blockElements == expected["block_elements"].get<std::uint32_t>());
        CHECK(type->blockBytes == expected["block_bytes"].get<std::uint32_t>());
    }
}

} // namespace tests
