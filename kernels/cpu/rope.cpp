#include "kernels/cpu/thread_pool.h"
#include "kernels/elementwise.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <vector>

namespace kernels::cpu {
namespace {

constexpr std::size_t kPieceElements = 16384;

/// Cosine and sine of every pair at one position.
struct Rotation
{
    std::vector<float> cosines;
    std::vector<float> sines;
};

void setRotation(Rotation& rotation, std::int32_t position, std::span<const double> frequencies,
                 double magnitude)
{
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
        const double angle = static_cast<double>(position) * frequencies[i];
        rotation.cosines[i] = static_cast<float>(std::cos(angle) * magnitude);
        rotation.sines[i] = static_cast<float>(std::sin(angle) * magnitude);
    }
}

/// Pair i is (first[i * step], first[i * step + distance]).
void rotateHead(float* first, const Rotation& rotation, std::size_t step, std::size_t distance)
{
    for (std::size_t i = 0; i < rotation.cosines.size(); ++i) {
        float& a = first[i * step];
        float& b = first[i * step + distance];
        const float x = a;
        const float y = b;
        a = x * rotation.cosines[i] - y * rotation.sines[i];
        b = x * rotation.sines[i] + y * rotation.cosines[i];
    }
}

} // namespace

void rope(std::span<float> x, std::span<const std::int32_t> positions,
          std::span<const double> frequencies, std::size_t heads, std::size_t headDim,
          RopePairing pairing, float magnitude, ThreadPool& pool)
{
    const std::size_t rowElements = heads * headDim;
    const std::size_t pairs = frequencies.size();
    if (x.size() != positions.size() * rowElements || 2 * pairs > headDim)
        throw std::invalid_argument("rope: rows, heads and frequencies do not fit together");
    if (x.empty() || pairs == 0)
        return;
    const std::size_t step = pairing == RopePairing::Interleaved ? 2 : 1;
    const std::size_t distance = pairing == RopePairing::Interleaved ? 1 : pairs;
    const std::size_t grain = std::max<std::size_t>(kPieceElements / rowElements, 1);
    pool.parallelFor(positions.size(), grain, [&](std::size_t begin, std::size_t end, std::size_t) {
        Rotation rotation{std::vector<float>(pairs), std::vector<float>(pairs)};
        for (std::size_t row = begin; row < end; ++row) {
            setRotation(rotation, positions[row], frequencies, static_cast<double>(magnitude));
            for (std::size_t head = 0; head < heads; ++head)
                rotateHead(x.data() + row * rowElements + head * headDim, rotation, step, distance);
        }
    });
}

} // namespace kernels::cpu
