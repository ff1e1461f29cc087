#include "engine/gguf/gguf_tensor_type.h"
#include "engine/model/model.h"

#include <algorithm>

namespace engine {
namespace {

/// The type that most weight bytes have; "mixed" when none has four fifths of them.
std::string fileTypeOf(const GgufFile& file)
{
    std::map<std::uint32_t, std::uint64_t> bytesByType;
    std::uint64_t total = 0;
    for (const GgufTensor& tensor : file.tensors()) {
        bytesByType[tensor.type] += tensor.bytes;
        total += tensor.bytes;
    }
    if (bytesByType.empty())
        return "none";
    const auto most =
        std::ranges::max_element(bytesByType, {}, [](const auto& entry) { return entry.second; });
    const GgufTensorType* type = findGgufTensorType(most->first);
    if (type == nullptr || most->second < total / 5 * 4)
        return "mixed";
    return std::string(type->name);
}

} // namespace

ModelInfo describeModel(const std::filesystem::path& path, const GgufFile& file)
{
    ModelInfo info;
    info.path = path;
    info.name = file.findString("general.name").value_or(path.stem().string());
    info.architecture = file.findString("general.architecture").value_or("unknown");
    info.description = file.findString("general.description").value_or("");
    info.fileType = fileTypeOf(file);
    std::error_code ignored;
    info.fileBytes = std::filesystem::file_size(path, ignored);
    for (const GgufTensor& tensor : file.tensors()) {
        std::uint64_t elements = 1;
        for (const std::uint64_t extent : tensor.shape)
            elements *= extent;
        info.parameters += elements;
    }
    info.hasChatTemplate = file.findString("tokenizer.chat_template").has_value();
    try {
        const ModelConfig config = readModelConfig(file);
        mapWeights(std::shared_ptr<const GgufFile>(std::shared_ptr<void>(), &file), config);
        info.layers = config.layers;
        info.width = config.width;
        info.heads = config.heads;
        info.kvHeads = config.kvHeads;
        info.headDim = config.headDim;
        info.contextLength = config.contextLength;
        info.vocabularySize = config.vocabularySize;
        info.kvBytesPerToken = std::uint64_t{4} * config.layers * config.kvHeads * config.headDim;
    } catch (const Error& error) {
        info.supported = false;
        info.unsupportedReason = error.what();
    }
    return info;
}

std::unique_ptr<const Tokenizer> openTokenizer(const std::filesystem::path& path)
{
    return Tokenizer::fromGguf(*GgufFile::open(path));
}

ModelInfo readModelInfo(const std::filesystem::path& path)
{
    return describeModel(path, *GgufFile::open(path));
}

} // namespace engine
