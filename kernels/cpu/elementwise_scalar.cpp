#include "kernels/cpu/elementwise_kernels.h"

#include <cmath>

namespace kernels::cpu {
namespace {

void normaliseRow(float* out, const float* in, const float* gain, std::size_t cols, float epsilon)
{
    double squares = 0.0;
    for (std::size_t i = 0; i < cols; ++i)
        squares += static_cast<double>(in[i]) * static_cast<double>(in[i]);
    const double mean = squares / static_cast<double>(cols);
    const auto factor = static_cast<float>(1.0 / std::sqrt(mean + static_cast<double>(epsilon)));
    for (std::size_t i = 0; i < cols; ++i)
        out[i] = in[i] * factor * gain[i];
}

void siluMul(float* gate, const float* up, std::size_t count)
{
    for (std::size_t i = 0; i < count; ++i)
        gate[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
}

} // namespace

const ElementwiseKernels& scalarElementwiseKernels()
{
    static constexpr ElementwiseKernels kKernels{.normaliseRow = normaliseRow, .siluMul = siluMul};
    return kKernels;
}

} // namespace kernels::cpu
