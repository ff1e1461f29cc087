#include "kernels/cpu/tile_kernels.h"

namespace kernels::cpu {

const TileKernels& bestTileKernels()
{
    return bestKernelLevel() >= KernelLevel::Avx512 ? avx512TileKernels() : avx2TileKernels();
}

} // namespace kernels::cpu
