#include "kernels/cpu/attention_logits_avx2.h"

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
void addScores(float* scores, const QueryTile& tile, const float* normalisers,
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

template <class Matrix>
void expandPanels(float* out, const Matrix& keys, std::size_t headDim)
{
    expandMatrix(keys, panelShape(PageSide::Keys, headDim), out);
}

} // namespace

ExpandedKeys expandKeysAvx2(float* out, const KvPageView& page, std::size_t pageBegin,
                            std::size_t headDim)
{
    const PanelShape shape = panelShape(PageSide::Keys, headDim);
    float parameters[4 * kMaxHeadDim];
    ExpandedKeys keys{.numbers = out, .begin = pageBegin, .rows = page.rows};
    switch (page.type) {
    case KvType::F32:
        keys.numbers = reinterpret_cast<const float*>(page.keys);
        break;
    case KvType::F16:
        expandPanels(out, F16Matrix{page.keys, headDim}, headDim);
        break;
    case KvType::Int8:
        expandPanels(out, Int8Matrix{page.keys + kInt8CodesOffset, headDim}, headDim);
        expandScales(out + headDim * kPageRows, page.keys);
        keys.scales = out + headDim * kPageRows;
        break;
    case KvType::Kivi4:
        expandPanels(out, kiviMatrix<4>(page.keys, shape, parameters), headDim);
        break;
    case KvType::Kivi2:
        expandPanels(out, kiviMatrix<2>(page.keys, shape, parameters), headDim);
        break;
    }
    return keys;
}

void addToNormaliserAvx2(const SoftmaxState& state, const QueryTile& tile, const ExpandedKeys& keys,
                         const EntryRange& part)
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

void addScoresAvx2(float* scores, const QueryTile& tile, const float* normalisers,
                   const ExpandedKeys& keys, ScoreTerm term)
{
    switch (term) {
    case ScoreTerm::Logit:
        addScores<ScoreTerm::Logit>(scores, tile, normalisers, keys);
        break;
    case ScoreTerm::Weight:
        addScores<ScoreTerm::Weight>(scores, tile, normalisers, keys);
        break;
    case ScoreTerm::Maximum:
        addScores<ScoreTerm::Maximum>(scores, tile, normalisers, keys);
        break;
    }
}

} // namespace kernels::cpu
