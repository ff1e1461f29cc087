#include "tests/engine/methods/reader_variant.h"

#include <atomic>
#include <fstream>
#include <iterator>
#include <string>
#include <unistd.h>

#include "resources/models/constructed_reader.h"

namespace tests {

engine::GgufWriter readerWriter(const resources::ReaderVariant& variant)
{
    const std::string folder = SOURCE_DIR "/resources/models/";
    std::ifstream merges(folder + "merges.txt", std::ios::binary);
    std::ifstream chatFile(folder + "constructed_reader.jinja", std::ios::binary);
    const std::string chatTemplate{std::istreambuf_iterator<char>(chatFile), {}};
    return resources::makeConstructedReader(merges, chatTemplate, variant);
}

std::shared_ptr<engine::LoadedModel> loadWritten(const engine::GgufWriter& writer)
{
    static std::atomic<unsigned> number{0};
    const auto path =
        std::filesystem::temp_directory_path() /
        ("epitome-variant-" + std::to_string(getpid()) + "-" + std::to_string(number++) + ".gguf");
    writer.write(path);
    auto model = engine::loadModel(path, {.threads = 2});
    std::filesystem::remove(path);
    return model;
}

std::shared_ptr<engine::LoadedModel> loadReaderWithWindow(std::uint32_t window,
                                                          const resources::ReaderVariant& variant)
{
    engine::GgufWriter writer = readerWriter(variant);
    writer.setUint32("llama.context_length", window);
    return loadWritten(writer);
}

std::shared_ptr<engine::LoadedModel> loadDeepReader(std::uint32_t window)
{
    return loadReaderWithWindow(window, {.middleLayers = 6, .marksQuotations = true});
}

} // namespace tests
