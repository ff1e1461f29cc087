#include "kernels/elementwise.h"

#include "kernels/cpu/elementwise_kernels.h"
#include "kernels/cpu/thread_pool.h"

#include <algorithm>
#include <stdexcept>

namespace kernels::cpu {
namespace {

/// Below this many elements a loop is over before another thread has woken up.
constexpr std::size_t kPieceElements = 16384;

const ElementwiseKernels& kernelsOf(KernelLevel level)
{
#if defined(EPITOME_AVX2_KERNELS)
    if (level >= KernelLevel::Avx2)
        return avx2ElementwiseKernels();
#else
    static_cast<void>(level);
#endif
    return scalarElementwiseKernels();
}

void requireWholeRows(std::size_t elements, std::size_t cols, const char* what)
{
    if (elements != 0 && (cols == 0 || elements % cols != 0))
        throw std::invalid_argument(what);
}

} // namespace

void rmsNormWith(KernelLevel level, std::span<float> out, std::span<const float> in,
                 std::span<const float> gain, float epsilon, ThreadPool& pool)
{
    requireWholeRows(in.size(), gain.size(), "rmsNorm: the input is not a whole number of rows");
    if (out.size() != in.size())
        throw std::invalid_argument("rmsNorm: input and output differ in size");
    if (in.empty())
        return;
    const ElementwiseKernels& kernels = kernelsOf(level);
    const std::size_t cols = gain.size();
    pool.parallelFor(in.size() / cols, std::max<std::size_t>(kPieceElements / cols, 1),
                     [&](std::size_t begin, std::size_t end, std::size_t) {
                         for (std::size_t row = begin; row < end; ++row)
                             kernels.normaliseRow(out.data() + row * cols, in.data() + row * cols,
                                                  gain.data(), cols, epsilon);
                     });
}

void siluMulWith(KernelLevel level, std::span<float> gate, std::span<const float> up,
                 ThreadPool& pool)
{
    if (gate.size() != up.size())
        throw std::invalid_argument("siluMul: the operands differ in size");
    const ElementwiseKernels& kernels = kernelsOf(level);
    pool.parallelFor(gate.size(), kPieceElements,
                     [&](std::size_t begin, std::size_t end, std::size_t) {
                         kernels.siluMul(gate.data() + begin, up.data() + begin, end - begin);
                     });
}

void rmsNorm(std::span<float> out, std::span<const float> in, std::span<const float> gain,
             float epsilon, ThreadPool& pool)
{
    rmsNormWith(bestKernelLevel(), out, in, gain, epsilon, pool);
}

void siluMul(std::span<float> gate, std::span<const float> up, ThreadPool& pool)
{
    siluMulWith(bestKernelLevel(), gate, up, pool);
}

void add(std::span<float> x, std::span<const float> y, ThreadPool& pool)
{
    if (x.size() != y.size())
        throw std::invalid_argument("add: the operands differ in size");
    pool.parallelFor(x.size(), kPieceElements,
                     [x, y](std::size_t begin, std::size_t end, std::size_t) {
                         for (std::size_t i = begin; i < end; ++i)
                             x[i] += y[i];
                     });
}

void addBias(std::span<float> x, std::span<const float> bias, ThreadPool& pool)
{
    const std::size_t cols = bias.size();
    requireWholeRows(x.size(), cols, "addBias: the operand is not a whole number of rows");
    if (x.empty())
        return;
    pool.parallelFor(x.size() / cols, std::max<std::size_t>(kPieceElements / cols, 1),
                     [x, bias, cols](std::size_t begin, std::size_t end, std::size_t) {
                         for (std::size_t row = begin; row < end; ++row) {
                             float* target = x.data() + row * cols;
                             for (std::size_t col = 0; col < cols; ++col)
                                 target[col] += bias[col];
                         }
                     });
}

} // namespace kernels::cpu
