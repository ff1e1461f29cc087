// What score passes take from the logits of a tile of rows against one page.
#pragma once

#include "kernels/cpu/attention_logits.h"

namespace kernels::cpu {
namespace {

template <ScoreTerm Term>
__m256 addTerm(__m256 score, __m256 logit, __m256 normaliser)
{
    if constexpr (Term == ScoreTerm::Logit)
        return _mm256_add_ps(score, logit);
    const __m256 relative = _mm256_sub_ps(logit, normaliser);
    if constexpr (Term == ScoreTerm::Maximum)
        return _mm256_max_ps(relative, score); // the second one where a number is missing
    // An entry outside the normaliser's set may outweigh it; the power stays finite. What is no
    // number stays none: the power would make a weight of it.
    const __m256 bounded = _mm256_min_ps(relative, _mm256_set1_ps(126.0F));
    const __m256 missing = _mm256_cmp_ps(relative, relative, _CMP_UNORD_Q);
    return _mm256_add_ps(score, _mm256_or_ps(exp2Bounded(bounded), missing));
}

template <int Rows, ScoreTerm Term>
void addTerms(float* scores, const BlockLogits& logits, const float* normalisers)
{
    for (std::size_t vector = logits.firstVector; vector < logits.lastVector; ++vector) {
        __m256 score = _mm256_loadu_ps(scores + 8 * vector);
        for (int row = 0; row < Rows; ++row) {
            const float* z = logits.z + static_cast<std::size_t>(row) * kPageRows;
            score = addTerm<Term>(score, _mm256_load_ps(z + 8 * vector),
                                  _mm256_broadcast_ss(normalisers + row));
        }
        _mm256_storeu_ps(scores + 8 * vector, score);
    }
}

template <ScoreTerm Term>
void addTermOfAll(float* scores, const QueryTile& tile, const float* normalisers,
                  const ExpandedKeys& keys)
{
    forEachBlock(tile.rows, [&]<int Rows>(std::size_t first) {
        const BlockView view = viewBlock<Rows>(tile.ranges + first, keys.begin, keys.rows);
        if (view.from >= view.to)
            return;
        BlockLogits logits;
        computeLogits<Rows>(logits, tile, first, keys, view);
        finishLogits<Rows>(logits, keys, view, Term == ScoreTerm::Logit ? 0.0F : kNothing);
        addTerms<Rows, Term>(scores, logits, normalisers + first);
    });
}

inline void addToNormaliser(const SoftmaxState& state, const QueryTile& tile,
                            const ExpandedKeys& keys, const EntryRange& part)
{
    forEachBlock(tile.rows, [&]<int Rows>(std::size_t first) {
        EntryRange ranges[Rows];
        for (std::size_t row = 0; row < Rows; ++row)
            ranges[row] = {larger(tile.ranges[first + row].begin, part.begin),
                           smaller(tile.ranges[first + row].end, part.end)};
        const BlockView view = viewBlock<Rows>(ranges, keys.begin, keys.rows);
        if (view.from >= view.to)
            return;
        BlockLogits logits;
        alignas(32) float correction[8];
        computeLogits<Rows>(logits, tile, first, keys, view);
        updateSoftmax<Rows>(logits.z, state.maximum + first, state.sum + first, correction, view,
                            {keys.scales, nullptr});
    });
}

inline void addScores(float* scores, const QueryTile& tile, const float* normalisers,
                      const ExpandedKeys& keys, ScoreTerm term)
{
    switch (term) {
    case ScoreTerm::Logit:
        addTermOfAll<ScoreTerm::Logit>(scores, tile, normalisers, keys);
        break;
    case ScoreTerm::Weight:
        addTermOfAll<ScoreTerm::Weight>(scores, tile, normalisers, keys);
        break;
    case ScoreTerm::Maximum:
        addTermOfAll<ScoreTerm::Maximum>(scores, tile, normalisers, keys);
        break;
    }
}

inline void writeLogits(float* out, std::size_t stride, const QueryTile& tile,
                        const ExpandedKeys& keys)
{
    forEachBlock(tile.rows, [&]<int Rows>(std::size_t first) {
        const BlockView view = viewBlock<Rows>(tile.ranges + first, keys.begin, keys.rows);
        BlockLogits logits;
        if (view.from < view.to) {
            computeLogits<Rows>(logits, tile, first, keys, view);
            finishLogits<Rows>(logits, keys, view, kNothing);
        }
        for (std::size_t row = 0; row < Rows; ++row) {
            float* to = out + (first + row) * stride;
            const float* z = logits.z + row * kPageRows;
            for (std::size_t vector = 0; vector < kPageRows / 8; ++vector) {
                const bool seen = vector >= logits.firstVector && vector < logits.lastVector;
                _mm256_storeu_ps(to + 8 * vector,
                                 seen ? _mm256_load_ps(z + 8 * vector) : _mm256_set1_ps(kNothing));
            }
        }
    });
}

} // namespace
} // namespace kernels::cpu
