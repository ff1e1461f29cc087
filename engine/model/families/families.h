#pragma once

#include "engine/model/model_config.h"

#include <span>
#include <string_view>

namespace engine {

/// What a family of models adds to the common reading of `<architecture>.*` metadata.
struct ModelFamily
{
    std::string_view architecture; // the value of general.architecture
    void (*configure)(const GgufFile& file, ModelConfig& config);
};

/// Every supported family. A new one: its file, its declaration below, its line in families.cpp.
std::span<const ModelFamily> modelFamilies();

void configureLlama(const GgufFile& file, ModelConfig& config);
void configureQwen2(const GgufFile& file, ModelConfig& config);

} // namespace engine
