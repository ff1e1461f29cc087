// The two implementations behind attention() and scorePass(), for the dispatch and the tests.
#pragma once

#include "kernels/attention.h"
#include "kernels/sparse_attention.h"

namespace kernels::cpu {

/// Throw std::invalid_argument for operands that no attention can have.
void checkShape(const AttentionShape& shape);
void checkLists(std::span<const KvListView> lists, std::span<const EntryRange> visible,
                const AttentionShape& shape);

/// The operands of attention(), see there.
struct AttentionCall
{
    std::span<float> out;
    std::span<float> lse;
    std::span<const float> q;
    std::span<const KvListView> lists;
    std::span<const EntryRange> visible;
    AttentionShape shape;
};

/// Two passes in double precision, entry by entry: slow, for tests and processors without AVX2.
void attentionReference(const AttentionCall& call, ThreadPool& pool);

/// Tiles with an online softmax. Only at KernelLevel::Avx2 or above.
void attentionTiled(const AttentionCall& call, ThreadPool& pool);

/// The operands of scorePass(), see there.
struct ScoreCall
{
    std::span<float> scores;
    std::span<const float> q;
    std::span<const KvListView> lists;
    std::span<const EntryRange> visible;
    std::span<const float> lse;
    ScoreSpec spec;
    AttentionShape shape;
};

/// Entry by entry in double precision: slow, for tests and processors without AVX2.
void scorePassReference(const ScoreCall& call, ThreadPool& pool);

/// Tiles. Only at KernelLevel::Avx2 or above.
void scorePassTiled(const ScoreCall& call, ThreadPool& pool);

/// Whether attentionScoredTiled() can do a pass: a maximum over rows of weights over a subset.
bool canScoreWhileAttending(const ScoreSpec& spec, const AttentionShape& shape);

/// attentionTiled() and scorePassTiled() with the same queries, lists and limits, from one product
/// of queries and keys, with the same bits. Only at KernelLevel::Avx2 or above.
void attentionScoredTiled(const AttentionCall& attention, const ScoreCall& score, ThreadPool& pool);

/// As attention(), with the patterns of sparseAttention().
void sparseAttentionReference(const AttentionCall& call, std::span<const SparsePattern> patterns,
                              ThreadPool& pool);
void sparseAttentionTiled(const AttentionCall& call, std::span<const SparsePattern> patterns,
                          ThreadPool& pool);

} // namespace kernels::cpu
