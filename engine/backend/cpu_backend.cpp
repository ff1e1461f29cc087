#include "engine/backend/backend.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/thread_pool.h"

namespace engine {
namespace {

using namespace kernels;

const char* nameOf(cpu::KernelLevel level)
{
    switch (level) {
    case cpu::KernelLevel::Avx512:
        return "AVX-512";
    case cpu::KernelLevel::Avx2:
        return "AVX2";
    case cpu::KernelLevel::Scalar:
        break;
    }
    return "no AVX2";
}

class CpuBackend final : public Backend
{
public:
    CpuBackend(unsigned threads, cpu::Activations activations)
        : m_pool(threads)
        , m_activations(activations)
    {}

    std::string sentence() const override
    {
        const std::size_t threads = m_pool.threads();
        return "CPU, " + std::to_string(threads) + (threads == 1 ? " thread, " : " threads, ") +
               nameOf(cpu::bestKernelLevel());
    }

    void embed(std::span<float> out, const WeightView& table,
               std::span<const std::int32_t> ids) override
    {
        for (std::size_t i = 0; i < ids.size(); ++i)
            cpu::dequantiseRow(out.subspan(i * table.cols, table.cols), table,
                               static_cast<std::size_t>(ids[i]));
    }

    void rmsNorm(std::span<float> out, std::span<const float> in, std::span<const float> gain,
                 float epsilon) override
    {
        cpu::rmsNorm(out, in, gain, epsilon, m_pool);
    }

    void matmul(std::span<float> out, std::span<const float> in, const WeightView& weights,
                std::size_t tokens) override
    {
        cpu::matmul(out, in, weights, tokens, m_activations, m_scratch, m_pool);
    }

    void addBias(std::span<float> x, std::span<const float> bias) override
    {
        cpu::addBias(x, bias, m_pool);
    }

    void add(std::span<float> x, std::span<const float> y) override { cpu::add(x, y, m_pool); }

    void siluMul(std::span<float> gate, std::span<const float> up) override
    {
        cpu::siluMul(gate, up, m_pool);
    }

    void rope(std::span<float> x, std::span<const std::int32_t> positions,
              std::span<const double> frequencies, std::size_t heads, std::size_t headDim,
              cpu::RopePairing pairing, float magnitude) override
    {
        cpu::rope(x, positions, frequencies, heads, headDim, pairing, magnitude, m_pool);
    }

    void attention(std::span<float> out, std::span<float> lse, std::span<const float> q,
                   std::span<const KvListView> lists, std::span<const EntryRange> visible,
                   const AttentionShape& shape) override
    {
        cpu::attention(out, lse, q, lists, visible, shape, m_pool);
    }

    void sparseAttention(std::span<float> out, std::span<float> lse, std::span<const float> q,
                         std::span<const KvListView> lists, std::span<const EntryRange> visible,
                         std::span<const SparsePattern> patterns,
                         const AttentionShape& shape) override
    {
        cpu::sparseAttention(out, lse, q, lists, visible, patterns, shape, m_pool);
    }

    void attentionWeights(std::span<float> weights, std::span<const float> q,
                          std::span<const KvListView> lists, std::span<const EntryRange> visible,
                          std::size_t head, std::size_t firstRow,
                          const AttentionShape& shape) override
    {
        cpu::attentionWeights(weights, q, lists, visible, head, firstRow, shape, m_pool);
    }

    void mergeAttention(std::span<float> out, std::span<float> lse, std::span<const float> otherOut,
                        std::span<const float> otherLse, std::size_t headDim) override
    {
        cpu::mergeAttention(out, lse, otherOut, otherLse, headDim);
    }

    void scorePass(std::span<float> scores, std::span<const float> q,
                   std::span<const KvListView> lists, std::span<const EntryRange> visible,
                   std::span<const float> lse, const ScoreSpec& spec,
                   const AttentionShape& shape) override
    {
        cpu::scorePass(scores, q, lists, visible, lse, spec, shape, m_pool);
    }

    void attentionWithScores(std::span<float> out, std::span<float> lse, std::span<float> scores,
                             std::span<const float> q, std::span<const KvListView> lists,
                             std::span<const EntryRange> visible, const ScoreSpec& spec,
                             const AttentionShape& shape) override
    {
        cpu::attentionWithScores(out, lse, scores, q, lists, visible, spec, shape, m_pool);
    }

    void parallelFor(std::size_t count, std::size_t grain,
                     const std::function<void(std::size_t, std::size_t)>& work) override
    {
        m_pool.parallelFor(count, grain, [&](std::size_t begin, std::size_t end, std::size_t) {
            work(begin, end);
        });
    }

    std::size_t scratchBytes() const override { return m_scratch.bytes.capacity(); }

private:
    cpu::ThreadPool m_pool;
    cpu::MatmulScratch m_scratch;
    cpu::Activations m_activations;
};

} // namespace

std::unique_ptr<Backend> makeCpuBackend(unsigned threads, kernels::cpu::Activations activations)
{
    return std::make_unique<CpuBackend>(threads, activations);
}

} // namespace engine
