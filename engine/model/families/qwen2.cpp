// Qwen 1.5, 2 and 2.5: Llama's layers with a bias on q, k and v, and RoPE over the two halves of a
// head.

#include "engine/model/families/families.h"

namespace engine {

void configureQwen2(const GgufFile& file, ModelConfig& config)
{
    config.pairing = kernels::cpu::RopePairing::Halves;
    config.qkvBias = true;
    if (config.headDim * config.heads != config.width) {
        throw Error(ErrorCode::Damaged,
                    file.name() +
                        " is damaged: qwen2.attention.head_count times the head size is not "
                        "qwen2.embedding_length. Get the file again.");
    }
}

} // namespace engine
