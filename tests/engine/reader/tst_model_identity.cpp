// A context belongs to the weights that it was made with, so weights that differ in one byte of a
// small tensor are another model.

#include "engine/gguf/gguf_file.h"
#include "engine/model/model.h"
#include "tests/app/store/temporary_folder.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>

using namespace engine;

namespace {

void changeByte(const std::filesystem::path& path, std::streamoff place)
{
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(place);
    const auto byte = static_cast<char>(file.get() ^ 1);
    file.seekp(place);
    file.put(byte);
}

} // namespace

TEST_CASE("a changed byte within a projection makes another identity")
{
    const std::filesystem::path original = SOURCE_DIR "/resources/models/reader.gguf";
    const tests::TemporaryFolder folder;
    const auto copy = folder.path() / "copy.gguf";
    std::filesystem::copy_file(original, copy);
    const std::string before = loadModel(original)->identity();
    CHECK(loadModel(copy)->identity() == before);

    const auto file = GgufFile::open(original);
    const GgufTensor* tensor = file->findTensor("blk.3.attn_k.weight");
    REQUIRE(tensor != nullptr);
    changeByte(copy, static_cast<std::streamoff>(tensor->offset + tensor->bytes / 3));
    CHECK(loadModel(copy)->identity() != before);
}
