#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernels::cpu {

class ThreadPool;

/// out[r, c] = in[r, c] / sqrt(mean(in[r, :]^2) + epsilon) * gain[c]. `out` may be `in`.
/// Rows are in.size() / gain.size() (RMSNorm, arXiv 1910.07467).
void rmsNorm(std::span<float> out, std::span<const float> in, std::span<const float> gain,
             float epsilon, ThreadPool& pool);

/// gate[i] = silu(gate[i]) * up[i], silu(x) = x / (1 + exp(-x)) (SwiGLU, arXiv 2002.05202).
void siluMul(std::span<float> gate, std::span<const float> up, ThreadPool& pool);

/// x[i] += y[i].
void add(std::span<float> x, std::span<const float> y, ThreadPool& pool);

/// x[r, c] += bias[c].
void addBias(std::span<float> x, std::span<const float> bias, ThreadPool& pool);

/// Which two elements of a head form a rotated pair.
enum class RopePairing
{
    Interleaved, // (2i, 2i + 1): GGUF architecture llama
    Halves       // (i, i + d/2): qwen2 and most others
};

/// Rotates each head of x (rows, heads, headDim) in place by the angle position * frequency of each
/// pair (RoPE, arXiv 2104.09864). frequencies has rotated/2 entries with rotated <= headDim; the
/// elements behind stay. cos and sin are multiplied by `magnitude` (YaRN, longrope; 1 otherwise).
/// Angles are formed in double.
void rope(std::span<float> x, std::span<const std::int32_t> positions,
          std::span<const double> frequencies, std::size_t heads, std::size_t headDim,
          RopePairing pairing, float magnitude, ThreadPool& pool);

} // namespace kernels::cpu
