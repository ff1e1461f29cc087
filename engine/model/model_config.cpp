#include "engine/model/model_config.h"

#include "engine/model/families/families.h"

#include <algorithm>
#include <limits>

namespace engine {
namespace {

constexpr std::uint64_t kMaxLayers = 1024;
constexpr std::uint64_t kMaxHeads = 1024;
constexpr std::uint64_t kMaxWidth = 1U << 20U;
constexpr std::uint64_t kMaxContext = std::numeric_limits<std::int32_t>::max();
constexpr std::uint32_t kMaxHeadDim = 256;

std::uint32_t bounded(const GgufFile& file, const std::string& key, std::uint64_t value,
                      std::uint64_t maximum)
{
    if (value == 0 || value > maximum) {
        throw Error(ErrorCode::Damaged, file.name() + " is damaged: " + key + " is " +
                                            std::to_string(value) + ", but must be between 1 and " +
                                            std::to_string(maximum) + ". Get the file again.");
    }
    return static_cast<std::uint32_t>(value);
}

std::uint32_t required(const GgufFile& file, const std::string& key, std::uint64_t maximum)
{
    return bounded(file, key, file.uintOf(key), maximum);
}

std::uint32_t optionalUint(const GgufFile& file, const std::string& key, std::uint64_t fallback,
                           std::uint64_t maximum)
{
    return bounded(file, key, file.findUint(key).value_or(fallback), maximum);
}

const ModelFamily& familyOf(const GgufFile& file, const std::string& architecture)
{
    const auto families = modelFamilies();
    const auto family = std::ranges::find(families, architecture, &ModelFamily::architecture);
    if (family != families.end())
        return *family;
    std::string known;
    for (const ModelFamily& each : families)
        known += (known.empty() ? "" : ", ") + std::string(each.architecture);
    throw Error(ErrorCode::Unsupported,
                file.name() + " has the architecture \"" + architecture +
                    "\", which Epitome does not know. Choose a model of one of: " + known + ".");
}

std::uint32_t vocabularySizeOf(const GgufFile& file)
{
    const GgufTensor* embedding = file.findTensor("token_embd.weight");
    if (embedding == nullptr || embedding->shape.size() != 2) {
        throw Error(ErrorCode::Damaged,
                    file.name() +
                        " is damaged: the tensor token_embd.weight is missing. It may be a "
                        "vocabulary without a model; choose another file.");
    }
    return bounded(file, "token_embd.weight rows", embedding->shape[1], 1U << 24U);
}

} // namespace

ModelConfig readModelConfig(const GgufFile& file)
{
    ModelConfig config;
    config.architecture = file.stringOf("general.architecture");
    config.name = file.findString("general.name").value_or(file.name());
    const ModelFamily& family = familyOf(file, config.architecture);

    const std::string prefix = config.architecture + ".";
    config.layers = required(file, prefix + "block_count", kMaxLayers);
    config.width = required(file, prefix + "embedding_length", kMaxWidth);
    config.heads = required(file, prefix + "attention.head_count", kMaxHeads);
    config.kvHeads =
        optionalUint(file, prefix + "attention.head_count_kv", config.heads, kMaxHeads);
    config.ffnWidth = required(file, prefix + "feed_forward_length", kMaxWidth);
    config.contextLength = required(file, prefix + "context_length", kMaxContext);
    config.headDim = optionalUint(file, prefix + "attention.key_length",
                                  config.width / config.heads, kMaxHeadDim);
    config.normEpsilon = static_cast<float>(
        file.findNumber(prefix + "attention.layer_norm_rms_epsilon").value_or(1e-5));
    config.vocabularySize = vocabularySizeOf(file);

    if (config.heads % config.kvHeads != 0) {
        throw Error(ErrorCode::Damaged,
                    file.name() + " is damaged: " + prefix + "attention.head_count (" +
                        std::to_string(config.heads) + ") is not a multiple of head_count_kv (" +
                        std::to_string(config.kvHeads) + "). Get the file again.");
    }
    if (config.headDim % 32 != 0) {
        throw Error(ErrorCode::Unsupported,
                    file.name() + " has heads of " + std::to_string(config.headDim) +
                        " elements; Epitome needs a multiple of 32 up to 256.");
    }
    family.configure(file, config);
    config.rope = readRopeConfig(file, config.architecture, config.headDim, config.contextLength);
    return config;
}

} // namespace engine
