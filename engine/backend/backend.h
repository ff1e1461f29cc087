#pragma once

#include "kernels/attention.h"
#include "kernels/elementwise.h"
#include "kernels/matmul.h"
#include "kernels/sparse_attention.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace engine {

/// The operations of a transformer on one device. Shapes and formulas are those of the kernels with
/// the same names; a method here unwraps nothing more than which device runs it.
class Backend
{
public:
    virtual ~Backend() = default;

    /// One sentence for a person: the device, threads and instruction set in use.
    virtual std::string sentence() const = 0;

    virtual void embed(std::span<float> out, const kernels::WeightView& table,
                       std::span<const std::int32_t> ids) = 0;
    virtual void rmsNorm(std::span<float> out, std::span<const float> in,
                         std::span<const float> gain, float epsilon) = 0;
    virtual void matmul(std::span<float> out, std::span<const float> in,
                        const kernels::WeightView& weights, std::size_t tokens) = 0;
    virtual void addBias(std::span<float> x, std::span<const float> bias) = 0;
    virtual void add(std::span<float> x, std::span<const float> y) = 0;
    virtual void siluMul(std::span<float> gate, std::span<const float> up) = 0;
    virtual void rope(std::span<float> x, std::span<const std::int32_t> positions,
                      std::span<const double> frequencies, std::size_t heads, std::size_t headDim,
                      kernels::cpu::RopePairing pairing, float magnitude) = 0;
    virtual void attention(std::span<float> out, std::span<float> lse, std::span<const float> q,
                           std::span<const kernels::KvListView> lists,
                           std::span<const kernels::EntryRange> visible,
                           const kernels::AttentionShape& shape) = 0;
    virtual void sparseAttention(std::span<float> out, std::span<float> lse,
                                 std::span<const float> q,
                                 std::span<const kernels::KvListView> lists,
                                 std::span<const kernels::EntryRange> visible,
                                 std::span<const kernels::SparsePattern> patterns,
                                 const kernels::AttentionShape& shape) = 0;
    virtual void attentionWeights(std::span<float> weights, std::span<const float> q,
                                  std::span<const kernels::KvListView> lists,
                                  std::span<const kernels::EntryRange> visible, std::size_t head,
                                  std::size_t firstRow, const kernels::AttentionShape& shape) = 0;
    virtual void mergeAttention(std::span<float> out, std::span<float> lse,
                                std::span<const float> otherOut, std::span<const float> otherLse,
                                std::size_t headDim) = 0;
    virtual void scorePass(std::span<float> scores, std::span<const float> q,
                           std::span<const kernels::KvListView> lists,
                           std::span<const kernels::EntryRange> visible, std::span<const float> lse,
                           const kernels::ScoreSpec& spec,
                           const kernels::AttentionShape& shape) = 0;
    virtual void attentionWithScores(std::span<float> out, std::span<float> lse,
                                     std::span<float> scores, std::span<const float> q,
                                     std::span<const kernels::KvListView> lists,
                                     std::span<const kernels::EntryRange> visible,
                                     const kernels::ScoreSpec& spec,
                                     const kernels::AttentionShape& shape) = 0;
    /// Calls work(begin, end) for pieces of [0, count) on the backend's host threads.
    virtual void parallelFor(std::size_t count, std::size_t grain,
                             const std::function<void(std::size_t, std::size_t)>& work) = 0;
    /// Bytes of scratch memory held now.
    virtual std::size_t scratchBytes() const = 0;
};

/// The complete backend and the reference for every other one.
std::unique_ptr<Backend> makeCpuBackend(unsigned threads, kernels::cpu::Activations activations);

enum class Device; // engine/engine.h

/// The backend for a wish. Throws Unsupported with the reason when a GPU is demanded and cannot be
/// used; `Auto` takes the CPU then and says why in sentence(). `threads` 0 means all cores.
std::unique_ptr<Backend> makeBackend(Device device, unsigned threads,
                                     kernels::cpu::Activations activations);

} // namespace engine
