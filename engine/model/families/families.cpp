#include "engine/model/families/families.h"

#include <array>

namespace engine {

std::span<const ModelFamily> modelFamilies()
{
    static constexpr std::array kFamilies{
        ModelFamily{"llama", configureLlama},
        ModelFamily{"qwen2", configureQwen2},
    };
    return kFamilies;
}

} // namespace engine
