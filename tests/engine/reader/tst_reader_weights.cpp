// The numbers that CONSTRUCTED_READER.md states, computed from the file.

#include "tests/engine/reader/plain_forward.h"
#include "tests/engine/reader/reader_file.h"

#include <algorithm>
#include <cmath>
#include <doctest/doctest.h>
#include <set>

#include "resources/models/token_codes.h"

using namespace resources;
using tests::PlainForward;

namespace {

constexpr std::int32_t kLastPosition = kContextLength - 1;

/// One row of a matrix applied to the two constants that every row of text holds.
float ofConstants(const std::vector<float>& matrix, std::size_t row)
{
    return matrix[row * kWidth + kConstantDim] * kConstant + matrix[row * kWidth + kTextDim];
}

/// Query and key of a look-back head before rotation; they are the same in every row of text.
struct LookBackHead
{
    std::vector<float> query, key, divisors;

    explicit LookBackHead(std::size_t head)
        : divisors(PlainForward::floats(*tests::readerFile(), "rope_freqs.weight"))
    {
        const auto queries = PlainForward::floats(*tests::readerFile(), "blk.0.attn_q.weight");
        const auto keys = PlainForward::floats(*tests::readerFile(), "blk.0.attn_k.weight");
        for (std::size_t dim = 0; dim < kHeadDim; ++dim) {
            query.push_back(ofConstants(queries, head * kHeadDim + dim));
            key.push_back(ofConstants(keys, head * kHeadDim + dim));
        }
    }

    std::vector<float> rotatedQuery(std::int32_t position) const
    {
        std::vector<float> out = query;
        PlainForward::rotate(out, position, divisors);
        return out;
    }
    std::vector<float> rotatedKey(std::int32_t position) const
    {
        std::vector<float> out = key;
        PlainForward::rotate(out, position, divisors);
        return out;
    }
    float beginLogit() const { return query[kMarkDim] * kStored / 8.0F; }
};

/// Keys of the positions [0, kContextLength), of which only the rotated dimensions are not zero.
std::vector<float> allKeys(kernels::KvType type)
{
    const LookBackHead head(0);
    std::vector<float> keys;
    keys.reserve(kContextLength * kHeadDim);
    for (std::int32_t position = 0; position <= kLastPosition; ++position) {
        const std::vector<float> key = head.rotatedKey(position);
        keys.insert(keys.end(), key.begin(), key.end());
    }
    constexpr std::size_t kPageFloats = kernels::kPageRows * kHeadDim;
    std::vector<std::byte> page(kernels::keyPageBytes(type, kHeadDim));
    for (std::size_t at = 0; at < keys.size(); at += kPageFloats) {
        const std::span<float> rows(&keys[at], kPageFloats);
        kernels::cpu::encodeKeys(type, page.data(), rows, kHeadDim, 0);
        kernels::cpu::decodeKeys(type, rows, page.data(), kHeadDim, 0, kernels::kPageRows);
    }
    return keys;
}

float rotatedLogit(std::span<const float> query, std::span<const float> key)
{
    float sum = 0.0F;
    for (std::size_t dim = 0; dim < kSignDim; ++dim) {
        sum += query[dim] * key[dim];
    }
    return sum / 8.0F;
}

/// The highest logit of a query at `position` among keys [1, end) other than that of `wanted`.
float highestOther(const std::vector<float>& keys, std::span<const float> query, std::int32_t end,
                   std::int32_t wanted)
{
    float highest = -INFINITY;
    for (std::int32_t j = 1; j < end; ++j) {
        if (j != wanted) {
            highest = std::max(
                highest,
                rotatedLogit(query,
                             std::span(&keys[static_cast<std::size_t>(j) * kHeadDim], kHeadDim)));
        }
    }
    return highest;
}

} // namespace

TEST_CASE("every token has a code of its own")
{
    const auto codes = tokenCodes();
    CHECK(codes.size() == kVocabulary);
    CHECK(std::set<TokenCode>(codes.begin(), codes.end()).size() == kVocabulary);
}

TEST_CASE("the feed-forward matrices are zero")
{
    for (const char* name :
         {"blk.0.ffn_gate.weight", "blk.0.ffn_up.weight", "blk.0.ffn_down.weight",
          "blk.1.ffn_gate.weight", "blk.1.ffn_up.weight", "blk.1.ffn_down.weight"}) {
        const auto values = PlainForward::floats(*tests::readerFile(), name);
        CHECK(std::ranges::all_of(values, [](float value) { return value == 0.0F; }));
    }
}

TEST_CASE("look-back heads single out their distance among 131,072 positions")
{
    const std::vector<float> keys = allKeys(kernels::KvType::F16);
    for (std::int32_t back = 1; back <= static_cast<std::int32_t>(kLookBack); ++back) {
        const LookBackHead head(static_cast<std::size_t>(back) - 1);
        for (const std::int32_t position : {kLastPosition, 77'777, 4'100}) {
            CAPTURE(back);
            CAPTURE(position);
            const std::vector<float> query = head.rotatedQuery(position);
            const float wanted = rotatedLogit(
                query,
                std::span(&keys[static_cast<std::size_t>(position - back) * kHeadDim], kHeadDim));
            const float other = highestOther(keys, query, position + 1, position - back);
            CHECK(wanted == doctest::Approx(kLookBackLogit).epsilon(0.001));
            CHECK(wanted - other > 300.0F);
            CHECK(wanted - head.beginLogit() > 230.0F);
            CHECK(head.beginLogit() - other > 60.0F);
        }
    }
}

TEST_CASE("keys stored in 4 bits do not draw look-back heads away from the rows just read")
{
    const std::vector<float> keys = allKeys(kernels::KvType::Kivi4);
    const std::int32_t stored = kLastPosition + 1;
    float margin = INFINITY;
    for (std::int32_t back = 1; back <= static_cast<std::int32_t>(kLookBack); ++back) {
        const LookBackHead head(static_cast<std::size_t>(back) - 1);
        for (std::int32_t step = 0; step < 6; ++step) {
            const std::int32_t position = stored + static_cast<std::int32_t>(kLookBack) + 7 * step;
            const std::vector<float> query = head.rotatedQuery(position);
            const float wanted = rotatedLogit(query, head.rotatedKey(position - back));
            margin = std::min(margin, wanted - highestOther(keys, query, stored, -1));
        }
    }
    MESSAGE("smallest margin over 4-bit keys: " << margin << " nats");
    CHECK(margin > 60.0F);
}

TEST_CASE("every row remembers its last tokens as exact signs, in the first rows the begin mark")
{
    PlainForward model(*tests::readerFile());
    const auto codes = tokenCodes();
    std::vector<std::int32_t> tokens{0};
    for (std::int32_t i = 0; i < 90; ++i) {
        tokens.push_back(1 + (i * 2654435 + 977) % 4095);
    }
    model.read(tokens);
    float worst = 0.0F;
    for (std::size_t row = 0; row < tokens.size(); ++row) {
        for (std::size_t lag = 1; lag <= kLookBack; ++lag) {
            const std::int32_t expected = row >= lag ? tokens[row - lag] : 0;
            for (std::size_t sign = 0; sign < kSlotBits[lag - 1]; ++sign) {
                const float got = model.remembered()[row * kWidth + kLagSlot[lag - 1] + sign];
                worst = std::max(
                    worst, std::abs(got - kSign * codes[static_cast<std::size_t>(expected)][sign]));
            }
        }
    }
    CHECK(worst < 1e-5F);
}

TEST_CASE("the signs of the comparing head survive every way of storing keys unchanged")
{
    std::vector<std::int32_t> tokens{0};
    for (std::int32_t i = 0; i < 127; ++i) {
        tokens.push_back(1 + (i * 7919 + 31) % 4095);
    }
    for (const auto type : {kernels::KvType::F16, kernels::KvType::Int8, kernels::KvType::Kivi4,
                            kernels::KvType::Kivi2}) {
        PlainForward model(*tests::readerFile());
        model.read(tokens);
        model.pack(type);
        float worst = 0.0F;
        const std::vector<float>& keys = model.keys(1, kInductionHead);
        for (std::size_t row = 0; row < tokens.size(); ++row) {
            for (std::size_t dim = kSignDim; dim < kMarkDim; ++dim) {
                worst = std::max(worst, std::abs(std::abs(keys[row * kHeadDim + dim]) - kStored));
            }
        }
        // One scale for a whole row of 8-bit keys leaves the signs equal, if not at kStored.
        CHECK(worst <= (type == kernels::KvType::Int8 ? 0.01F : 0.0F));
    }
}
