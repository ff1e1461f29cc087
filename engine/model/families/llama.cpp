// Llama 1 to 3, Mistral, and everything converted as architecture "llama": q and k rows are stored
// permuted, so that RoPE pairs neighbouring elements.

#include "engine/model/families/families.h"

namespace engine {

void configureLlama(const GgufFile& file, ModelConfig& config)
{
    config.pairing = kernels::cpu::RopePairing::Interleaved;
    const auto rotated = file.findUint("llama.rope.dimension_count");
    if (rotated && *rotated != config.headDim) {
        throw Error(ErrorCode::Unsupported,
                    file.name() + " cannot be used: llama.rope.dimension_count is " +
                        std::to_string(*rotated) + " but the head size is " +
                        std::to_string(config.headDim) +
                        "; for this architecture they must be equal.");
    }
}

} // namespace engine
