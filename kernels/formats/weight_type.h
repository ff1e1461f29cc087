#pragma once

#include <cstddef>
#include <cstdint>

namespace kernels {

/// Storage type of a weight matrix. The values are GGUF's tensor type numbers.
enum class WeightType : std::uint32_t
{
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q8_0 = 8,
    BF16 = 30
};

/// Elements of one block, and its bytes. A row of a matrix is a whole number of blocks.
struct BlockShape
{
    std::size_t elements = 1;
    std::size_t bytes = 0;
};

constexpr BlockShape blockShape(WeightType type)
{
    switch (type) {
    case WeightType::F32:
        return {1, 4};
    case WeightType::F16:
    case WeightType::BF16:
        return {1, 2};
    case WeightType::Q4_0:
        return {32, 18};
    case WeightType::Q8_0:
        return {32, 34};
    }
    return {1, 0};
}

} // namespace kernels
