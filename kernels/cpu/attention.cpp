#include "kernels/attention.h"

#include "kernels/cpu/attention_paths.h"
#include "kernels/cpu/cpu_features.h"
#include "kernels/cpu/kv_page_layout.h"

#include <stdexcept>

namespace kernels::cpu {
void checkShape(const AttentionShape& shape)
{
    if (shape.kvHeads == 0 || shape.heads == 0 || shape.heads % shape.kvHeads != 0)
        throw std::invalid_argument("the query heads are not a multiple of the key heads");
    if (shape.headDim == 0 || shape.headDim % kKiviGroup != 0 || shape.headDim > kMaxHeadDim)
        throw std::invalid_argument("the head size is not a multiple of 32 up to 256");
}

void checkLists(std::span<const KvListView> lists, std::span<const EntryRange> visible,
                const AttentionShape& shape)
{
    if (lists.size() != shape.kvHeads || visible.size() != shape.rows * shape.kvHeads)
        throw std::invalid_argument("the key/value lists do not match the attention shape");
    for (const KvListView& list : lists)
        if (list.pages.size() * kPageRows < list.length)
            throw std::invalid_argument("a key/value list is longer than its pages");
    for (std::size_t i = 0; i < visible.size(); ++i)
        if (visible[i].end > lists[i % shape.kvHeads].length)
            throw std::invalid_argument("a row sees more entries than its list has");
}

namespace {

void checkWeights(const ScoreSpec& spec, const AttentionShape& shape)
{
    const std::size_t scored = spec.scored.end - spec.scored.begin;
    const bool weighted = !spec.rowWeights.empty() || !spec.columnWeights.empty();
    if (weighted && spec.normaliser == Normaliser::None)
        throw std::invalid_argument("only weights of a softmax can be weighted");
    if ((!spec.rowWeights.empty() && spec.rowWeights.size() != shape.rows) ||
        (!spec.columnWeights.empty() && spec.columnWeights.size() != shape.heads * scored))
        throw std::invalid_argument("the row or column weights do not match the score pass");
}

AttentionCall checkedAttention(std::span<float> out, std::span<float> lse, std::span<const float> q,
                               std::span<const KvListView> lists,
                               std::span<const EntryRange> visible, const AttentionShape& shape)
{
    checkShape(shape);
    checkLists(lists, visible, shape);
    const std::size_t vectors = shape.rows * shape.heads;
    if (q.size() != vectors * shape.headDim || out.size() != q.size() ||
        (!lse.empty() && lse.size() != vectors))
        throw std::invalid_argument("the operands do not match the attention shape");
    return {.out = out, .lse = lse, .q = q, .lists = lists, .visible = visible, .shape = shape};
}

ScoreCall checkedScores(std::span<float> scores, std::span<const float> q,
                        std::span<const KvListView> lists, std::span<const EntryRange> visible,
                        std::span<const float> lse, const ScoreSpec& spec,
                        const AttentionShape& shape)
{
    checkShape(shape);
    checkLists(lists, visible, shape);
    const std::size_t vectors = shape.rows * shape.heads;
    if (q.size() != vectors * shape.headDim || spec.firstRow > shape.rows ||
        (spec.normaliser == Normaliser::Full && lse.size() != vectors))
        throw std::invalid_argument("the operands do not match the score pass");
    if (spec.scored.end < spec.scored.begin ||
        scores.size() != shape.kvHeads * (spec.scored.end - spec.scored.begin))
        throw std::invalid_argument("the scores do not match the scored range");
    checkWeights(spec, shape);
    return {.scores = scores,
            .q = q,
            .lists = lists,
            .visible = visible,
            .lse = lse,
            .spec = spec,
            .shape = shape};
}

bool hasTiles()
{
#if defined(EPITOME_AVX2_KERNELS)
    return bestKernelLevel() >= KernelLevel::Avx2;
#else
    return false;
#endif
}

void attend(const AttentionCall& call, ThreadPool& pool)
{
#if defined(EPITOME_AVX2_KERNELS)
    if (hasTiles()) {
        attentionTiled(call, pool);
        return;
    }
#endif
    attentionReference(call, pool);
}

void score(const ScoreCall& call, ThreadPool& pool)
{
#if defined(EPITOME_AVX2_KERNELS)
    if (hasTiles()) {
        scorePassTiled(call, pool);
        return;
    }
#endif
    scorePassReference(call, pool);
}

} // namespace

void attention(std::span<float> out, std::span<float> lse, std::span<const float> q,
               std::span<const KvListView> lists, std::span<const EntryRange> visible,
               const AttentionShape& shape, ThreadPool& pool)
{
    attend(checkedAttention(out, lse, q, lists, visible, shape), pool);
}

void scorePass(std::span<float> scores, std::span<const float> q, std::span<const KvListView> lists,
               std::span<const EntryRange> visible, std::span<const float> lse,
               const ScoreSpec& spec, const AttentionShape& shape, ThreadPool& pool)
{
    score(checkedScores(scores, q, lists, visible, lse, spec, shape), pool);
}

void attentionWithScores(std::span<float> out, std::span<float> lse, std::span<float> scores,
                         std::span<const float> q, std::span<const KvListView> lists,
                         std::span<const EntryRange> visible, const ScoreSpec& spec,
                         const AttentionShape& shape, ThreadPool& pool)
{
    const AttentionCall attending = checkedAttention(out, lse, q, lists, visible, shape);
    const ScoreCall scoring = checkedScores(scores, q, lists, visible, lse, spec, shape);
#if defined(EPITOME_AVX2_KERNELS)
    if (hasTiles() && canScoreWhileAttending(spec, shape)) {
        attentionScoredTiled(attending, scoring, pool);
        return;
    }
#endif
    attend(attending, pool);
    score(scoring, pool);
}

} // namespace kernels::cpu
