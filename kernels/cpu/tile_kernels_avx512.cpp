// The products of tiles, compiled for AVX-512.
#include "kernels/cpu/attention_page.h"
#include "kernels/cpu/score_pass_page.h"
#include "kernels/cpu/tile_kernels.h"

namespace kernels::cpu {

const TileKernels& avx512TileKernels()
{
    static constexpr TileKernels kKernels{.attendPage = attendPage,
                                          .addToNormaliser = addToNormaliser,
                                          .addScores = addScores,
                                          .writeLogits = writeLogits};
    return kKernels;
}

} // namespace kernels::cpu
