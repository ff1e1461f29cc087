// The products of tiles at each level: AVX-512 gives the bits of AVX2.

#include "kernels/cpu/tile_kernels.h"
#include "tests/kernels/attention_support.h"

#include <array>
#include <bit>
#include <doctest/doctest.h>
#include <limits>

#if defined(__x86_64__)

using kernels::EntryRange;
using kernels::KvPageView;
using kernels::KvType;
using kernels::cpu::CollectedLogits;
using kernels::cpu::ExpandedKeys;
using kernels::cpu::KernelLevel;
using kernels::cpu::QueryTile;
using kernels::cpu::ScoreTerm;
using kernels::cpu::SoftmaxState;
using kernels::cpu::TileKernels;

namespace {

constexpr std::array kTypes = {KvType::F32, KvType::F16, KvType::Int8, KvType::Kivi4,
                               KvType::Kivi2};
constexpr std::size_t kPageBegin = 64;
constexpr float kNothing = -std::numeric_limits<float>::infinity();

/// Rows that see a page from its middle, up to its middle, all of it and nothing of it, and the
/// page itself.
class TileProblem
{
public:
    TileProblem(KvType type, std::size_t rows, std::size_t headDim)
        : m_q(tests::randomFloats(rows * headDim, 5, 2.0F))
        , m_list(type, tests::randomFloats(kernels::kPageRows * headDim, 6),
                 tests::randomFloats(kernels::kPageRows * headDim, 7), headDim)
        , m_packed(rows * headDim)
    {
        std::vector<const float*> queries;
        for (std::size_t row = 0; row < rows; ++row) {
            queries.push_back(m_q.data() + row * headDim);
            m_ranges.push_back(kSeen[row % kSeen.size()]);
        }
        kernels::cpu::packQueriesAvx2(m_packed.data(), queries.data(), rows, headDim, 0.25F);
        m_tile = {m_packed.data(), m_ranges.data(), rows, headDim};
    }

    const QueryTile& tile() const { return m_tile; }
    KvPageView page() const { return m_list.view().pages[0]; }

private:
    static constexpr std::array<EntryRange, 5> kSeen = {
        {{0, 128}, {70, 128}, {0, 97}, {65, 66}, {0, 64}}};

    std::vector<float> m_q;
    tests::OwnedList m_list;
    std::vector<float> m_packed;
    std::vector<EntryRange> m_ranges;
    QueryTile m_tile;
};

/// A softmax that has seen something in every other row.
struct State
{
    explicit State(const QueryTile& tile)
        : maximum(tile.rows, kNothing)
        , sum(tile.rows)
        , out(tile.rows * tile.headDim)
    {
        for (std::size_t row = 0; row < tile.rows; row += 2) {
            maximum[row] = 0.5F;
            sum[row] = 3.0F;
            std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(row * tile.headDim), tile.headDim,
                        0.25F);
        }
    }

    SoftmaxState view() { return {maximum.data(), sum.data(), out.data()}; }

    std::vector<float> maximum;
    std::vector<float> sum;
    std::vector<float> out;
};

void append(std::vector<std::uint32_t>& bits, const std::vector<float>& values)
{
    for (const float value : values)
        bits.push_back(std::bit_cast<std::uint32_t>(value));
}

/// All that one set of functions makes of a problem.
std::vector<std::uint32_t> resultsOf(const TileKernels& kernels, const TileProblem& problem)
{
    const QueryTile& tile = problem.tile();
    std::vector<std::uint32_t> bits;
    std::vector<float> scratch(kernels::cpu::kPageScratchFloats);
    State plain(tile);
    kernels.attendPage(plain.view(), tile, problem.page(), kPageBegin, scratch.data(), nullptr);

    State attended(tile);
    State subset(tile);
    const std::array<EntryRange, 2> parts = {{{60, 80}, {100, 101}}};
    std::vector<float> logits(tile.rows * kernels::kPageRows, 7.0F);
    const CollectedLogits collected{subset.maximum.data(), subset.sum.data(), parts.data(),
                                    parts.size(),          logits.data(),     kPageBegin,
                                    kernels::kPageRows};
    kernels.attendPage(attended.view(), tile, problem.page(), kPageBegin, scratch.data(),
                       &collected);

    std::vector<float> keyMemory(kernels::cpu::expandedKeyFloats(tile.headDim));
    const ExpandedKeys keys =
        kernels::cpu::expandKeysAvx2(keyMemory.data(), problem.page(), kPageBegin, tile.headDim);
    State normaliser(tile);
    kernels.addToNormaliser(normaliser.view(), tile, keys, {66, 90});
    std::vector<float> written(tile.rows * kernels::kPageRows);
    kernels.writeLogits(written.data(), kernels::kPageRows, tile, keys);

    for (const State* state : {&plain, &attended, &subset, &normaliser}) {
        append(bits, state->maximum);
        append(bits, state->sum);
        append(bits, state->out);
    }
    append(bits, logits);
    append(bits, written);
    for (const ScoreTerm term : {ScoreTerm::Logit, ScoreTerm::Weight, ScoreTerm::Maximum}) {
        std::vector<float> scores(kernels::kPageRows, term == ScoreTerm::Maximum ? kNothing : 0.0F);
        kernels.addScores(scores.data(), tile, normaliser.maximum.data(), keys, term);
        append(bits, scores);
    }
    return bits;
}

} // namespace

TEST_CASE("tiles have the same bits with AVX-512 as with AVX2")
{
    if (kernels::cpu::bestKernelLevel() < KernelLevel::Avx512) {
        MESSAGE("Not run: this processor has no AVX-512 with VNNI.");
        return;
    }
    for (const KvType type : kTypes) {
        for (const std::size_t headDim : {32U, 64U, 96U, 256U}) {
            for (std::size_t rows = 1; rows <= 13; ++rows) {
                CAPTURE(static_cast<int>(type));
                CAPTURE(headDim);
                CAPTURE(rows);
                const TileProblem problem(type, rows, headDim);
                CHECK(resultsOf(kernels::cpu::avx512TileKernels(), problem) ==
                      resultsOf(kernels::cpu::avx2TileKernels(), problem));
            }
        }
    }
}

#endif
