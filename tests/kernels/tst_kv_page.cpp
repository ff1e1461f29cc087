#include "kernels/cpu/kv_page_half.h"
#include "kernels/cpu/kv_page_kivi.h"
#include "kernels/cpu/kv_page_layout.h"
#include "kernels/kv_page.h"
#include "tests/kernels/attention_support.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <doctest/doctest.h>
#include <limits>
#include <stdexcept>

using kernels::KvType;

namespace {

constexpr std::size_t kRows = kernels::kPageRows;
constexpr std::array kTypes = {KvType::F32, KvType::F16, KvType::Int8, KvType::Kivi4,
                               KvType::Kivi2};
constexpr std::array<std::size_t, 4> kHeadDims = {32, 64, 96, 256};

struct RoundTrip
{
    std::vector<float> keys;
    std::vector<float> values;
};

RoundTrip roundTrip(KvType type, std::span<const float> rows, std::size_t headDim)
{
    std::vector<std::byte> keys(kernels::keyPageBytes(type, headDim));
    std::vector<std::byte> values(kernels::valuePageBytes(type, headDim));
    kernels::cpu::encodeKeys(type, keys.data(), rows, headDim, 0);
    kernels::cpu::encodeValues(type, values.data(), rows, headDim, 0);
    RoundTrip result{.keys = std::vector<float>(rows.size()),
                     .values = std::vector<float>(rows.size())};
    kernels::cpu::decodeKeys(type, result.keys, keys.data(), headDim, 0, rows.size() / headDim);
    kernels::cpu::decodeValues(type, result.values, values.data(), headDim, 0,
                               rows.size() / headDim);
    return result;
}

/// Half of the step between codes for the group that a number belongs to.
float halfStep(std::span<const float> rows, std::size_t headDim, std::size_t index, bool isKey,
               float lastCode)
{
    const std::size_t row = index / headDim;
    const std::size_t channel = index % headDim;
    float smallest = rows[index];
    float largest = rows[index];
    for (std::size_t i = 0; i < kernels::kKiviGroup; ++i) {
        const std::size_t member =
            isKey ? (row / 32 * 32 + i) * headDim + channel : row * headDim + channel / 32 * 32 + i;
        smallest = std::min(smallest, rows[member]);
        largest = std::max(largest, rows[member]);
    }
    return (largest - smallest) / lastCode / 2.0F;
}

std::uint16_t halfAt(std::span<const std::byte> page, std::size_t index)
{
    std::uint16_t half = 0;
    std::memcpy(&half, &page[index * sizeof(half)], sizeof(half));
    return half;
}

} // namespace

TEST_CASE("float16 conversion rounds to the nearest, ties to even, and keeps the special values")
{
    using kernels::cpu::floatFromHalf;
    using kernels::cpu::halfFromFloat;
    for (std::uint32_t half = 0; half <= 0xFFFFU; ++half) {
        const auto bits = static_cast<std::uint16_t>(half);
        const float value = floatFromHalf(bits);
        if (std::isnan(value))
            CHECK(std::isnan(floatFromHalf(halfFromFloat(value))));
        else
            CHECK(halfFromFloat(value) == bits);
    }
    CHECK(halfFromFloat(1.0F + 0x1p-11F) == 0x3C00);
    CHECK(halfFromFloat(1.0F + 3.0F * 0x1p-11F) == 0x3C02);
    CHECK(halfFromFloat(0x1p-25F) == 0);
    CHECK(halfFromFloat(3.0F * 0x1p-25F) == 2);
    CHECK(halfFromFloat(65519.0F) == 0x7BFF);
    CHECK(halfFromFloat(65520.0F) == 0x7C00);
    CHECK(halfFromFloat(-std::numeric_limits<float>::infinity()) == 0xFC00);
    CHECK(floatFromHalf(1) == 0x1p-24F);
}

TEST_CASE("codes and packing of a group (selection.md 6.10)")
{
    const std::array<float, 8> values = {-1.0F, -0.45F, 0.08F, 0.35F, 0.52F, 0.93F, 1.27F, 2.0F};
    std::array<std::uint8_t, 8> codes{};
    const auto two = kernels::cpu::quantiseKiviGroup(codes, values, 2);
    CHECK(two.range / 3.0F == 1.0F);
    CHECK(two.minimum == -1.0F);
    CHECK(codes == std::array<std::uint8_t, 8>{0, 1, 1, 1, 2, 2, 2, 3});
    CHECK(kernels::cpu::packKiviCodes(codes, 2) == 0xea54U);

    const auto four = kernels::cpu::quantiseKiviGroup(codes, values, 4);
    CHECK(four.range / 15.0F == doctest::Approx(0.2));
    CHECK(codes == std::array<std::uint8_t, 8>{0, 3, 5, 7, 8, 10, 11, 15});
    CHECK(kernels::cpu::packKiviCodes(codes, 4) == 0xfba87530U);
    CHECK(kernels::cpu::kiviValue(four, 15, 4) == doctest::Approx(2.0).epsilon(1e-6));

    const std::array<float, 8> constant = {0.1F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F, 0.1F};
    const auto flat = kernels::cpu::quantiseKiviGroup(codes, constant, 4);
    CHECK(codes == std::array<std::uint8_t, 8>{});
    CHECK(flat.range == 0.0F);
}

TEST_CASE("ties between two codes go to the even one")
{
    const std::array<float, 4> values = {0.0F, 0.5F, 1.5F, 3.0F};
    std::array<std::uint8_t, 4> codes{};
    kernels::cpu::quantiseKiviGroup(codes, values, 2);
    CHECK(codes == std::array<std::uint8_t, 4>{0, 0, 2, 3});
}

TEST_CASE("round trips stay within the rounding of each type")
{
    for (const std::size_t headDim : kHeadDims) {
        const std::vector<float> rows =
            tests::randomFloats(kRows * headDim, static_cast<std::uint32_t>(headDim), 3.0F);
        const RoundTrip f32 = roundTrip(KvType::F32, rows, headDim);
        CHECK(f32.keys == rows);
        CHECK(f32.values == rows);
        const RoundTrip f16 = roundTrip(KvType::F16, rows, headDim);
        const RoundTrip int8 = roundTrip(KvType::Int8, rows, headDim);
        for (std::size_t row = 0; row < kRows; ++row) {
            float largest = 0.0F;
            for (std::size_t i = row * headDim; i < (row + 1) * headDim; ++i)
                largest = std::max(largest, std::abs(rows[i]));
            const float bound = largest / 127.0F / 2.0F * 1.001F;
            for (std::size_t i = row * headDim; i < (row + 1) * headDim; ++i) {
                REQUIRE(std::abs(f16.keys[i] - rows[i]) <= std::abs(rows[i]) * 0x1p-11F);
                REQUIRE(f16.values[i] == f16.keys[i]);
                REQUIRE(std::abs(int8.keys[i] - rows[i]) <= bound);
                REQUIRE(int8.values[i] == int8.keys[i]);
            }
        }
        for (const KvType type : {KvType::Kivi4, KvType::Kivi2}) {
            const float lastCode = type == KvType::Kivi4 ? 15.0F : 3.0F;
            const RoundTrip kivi = roundTrip(type, rows, headDim);
            for (std::size_t i = 0; i < rows.size(); ++i) {
                // Minimum and range are rounded to float16.
                const float rounding = 20.0F * 0x1p-11F;
                REQUIRE(std::abs(kivi.keys[i] - rows[i]) <=
                        halfStep(rows, headDim, i, true, lastCode) + rounding);
                REQUIRE(std::abs(kivi.values[i] - rows[i]) <=
                        halfStep(rows, headDim, i, false, lastCode) + rounding);
            }
        }
    }
}

TEST_CASE("constants and groups of -1 and 1 are exact in the grouped types")
{
    std::vector<float> rows(kRows * 64);
    for (std::size_t i = 0; i < rows.size(); ++i)
        rows[i] = (i * 2654435761U >> 7U) % 2 == 0 ? 1.0F : -1.0F;
    for (const KvType type : {KvType::Kivi4, KvType::Kivi2}) {
        CHECK(roundTrip(type, rows, 64).keys == rows);
        CHECK(roundTrip(type, rows, 64).values == rows);
        const std::vector<float> constant(kRows * 64, 0.375F);
        CHECK(roundTrip(type, constant, 64).keys == constant);
        CHECK(roundTrip(type, constant, 64).values == constant);
    }
}

TEST_CASE("appended rows equal rows written at once, and parts can be read")
{
    constexpr std::size_t kDim = 96;
    const std::vector<float> rows = tests::randomFloats(kRows * kDim, 12);
    const std::span<const float> all(rows);
    for (const KvType type : kTypes) {
        std::vector<std::byte> whole(kernels::keyPageBytes(type, kDim));
        kernels::cpu::encodeKeys(type, whole.data(), rows, kDim, 0);
        if (kernels::isAppendable(type)) {
            std::vector<std::byte> pieces(whole.size());
            for (const std::size_t first : {0, 1, 40})
                kernels::cpu::encodeKeys(type, pieces.data(),
                                         all.subspan(first * kDim, ((first == 0   ? 1
                                                                     : first == 1 ? 40
                                                                                  : 64) -
                                                                    first) *
                                                                       kDim),
                                         kDim, first);
            CHECK(pieces == whole);
        }
        std::vector<float> decoded(kRows * kDim);
        kernels::cpu::decodeKeys(type, decoded, whole.data(), kDim, 0, kRows);
        std::vector<float> part(3 * kDim);
        kernels::cpu::decodeKeys(type, part, whole.data(), kDim, 31, 3);
        CHECK(std::ranges::equal(part, std::span(decoded).subspan(31 * kDim, 3 * kDim)));
    }
}

TEST_CASE("float16 pages hold what the conversion of single numbers gives, whole panels and parts")
{
    namespace cpu = kernels::cpu;
    std::vector<float> numbers; // every float16, and numbers between them
    for (std::uint32_t half = 0; half <= 0xFFFFU; ++half)
        numbers.push_back(cpu::floatFromHalf(static_cast<std::uint16_t>(half)));
    for (const float size : {1e-8F, 1e-5F, 1.0F, 3e4F, 1e5F}) {
        const std::vector<float> more = tests::randomFloats(kRows * 96, 3, size);
        numbers.insert(numbers.end(), more.begin(), more.end());
    }
    // The sign of zero counts; which NaN it is does not.
    const auto same = [](std::uint16_t a, std::uint16_t b) {
        return a == b || (std::isnan(cpu::floatFromHalf(a)) && std::isnan(cpu::floatFromHalf(b)));
    };
    for (const std::size_t dim : {32U, 96U}) {
        const std::size_t count = kRows * dim;
        std::vector<std::byte> keys(kernels::keyPageBytes(KvType::F16, dim));
        std::vector<std::byte> values(keys.size());
        for (std::size_t at = 0; at + count <= numbers.size(); at += count) {
            const auto rows = std::span<const float>(numbers).subspan(at, count);
            // Rows 0 to 4 and 5 to 63: panels that are cut, and whole ones.
            cpu::encodeKeys(KvType::F16, keys.data(), rows.first(dim * 5), dim, 0);
            cpu::encodeKeys(KvType::F16, keys.data(), rows.subspan(dim * 5), dim, 5);
            cpu::encodeValues(KvType::F16, values.data(), rows, dim, 0);
            std::vector<float> keysRead(40 * dim);
            std::vector<float> valuesRead(40 * dim);
            cpu::decodeKeys(KvType::F16, keysRead, keys.data(), dim, 11, 40);
            cpu::decodeValues(KvType::F16, valuesRead, values.data(), dim, 11, 40);
            for (std::size_t i = 0; i < count; ++i) {
                const std::size_t row = i / dim;
                const std::size_t channel = i % dim;
                const std::uint16_t expected = cpu::halfFromFloat(rows[i]);
                const auto inKeys =
                    cpu::panelIndex(cpu::panelShape(cpu::PageSide::Keys, dim), channel, row);
                const auto inValues =
                    cpu::panelIndex(cpu::panelShape(cpu::PageSide::Values, dim), row, channel);
                REQUIRE(same(halfAt(keys, inKeys), expected));
                REQUIRE(same(halfAt(values, inValues), expected));
                if (row < 11 || row >= 51)
                    continue;
                REQUIRE(same(cpu::halfFromFloat(keysRead[i - 11 * dim]), expected));
                REQUIRE(same(cpu::halfFromFloat(valuesRead[i - 11 * dim]), expected));
            }
        }
    }
}

TEST_CASE("tiny and huge rows do not break the 8-bit type")
{
    for (const float magnitude : {0.0F, 1e-9F, 1e-6F, 1e-3F, 1e6F}) {
        std::vector<float> rows = tests::randomFloats(32, 6, magnitude);
        const RoundTrip result = roundTrip(KvType::Int8, rows, 32);
        for (std::size_t i = 0; i < rows.size(); ++i)
            CHECK(std::abs(result.keys[i] - rows[i]) <=
                  std::max(magnitude * 4.0F / 127.0F, 0x1p-24F));
    }
}

TEST_CASE("rows that do not fit are refused")
{
    std::vector<std::byte> page(kernels::keyPageBytes(KvType::F32, 32));
    const std::vector<float> rows(2 * 32);
    CHECK_THROWS_AS(kernels::cpu::encodeKeys(KvType::F32, page.data(), rows, 32, 63),
                    std::invalid_argument);
    CHECK_THROWS_AS(kernels::cpu::encodeValues(KvType::Kivi4, page.data(), rows, 32, 0),
                    std::invalid_argument);
    std::vector<float> out(32);
    CHECK_THROWS_AS(kernels::cpu::decodeKeys(KvType::F32, out, page.data(), 32, 64, 1),
                    std::invalid_argument);
}

TEST_CASE("page sizes are those of the formats")
{
    CHECK(kernels::keyPageBytes(KvType::F16, 64) == 8192);
    CHECK(kernels::keyPageBytes(KvType::Int8, 64) == 4096 + 128);
    // 5 and 3 bits per number: a code, and 32 bits for each group of 32.
    CHECK(kernels::keyPageBytes(KvType::Kivi4, 64) == 64 * 64 * 5 / 8);
    CHECK(kernels::valuePageBytes(KvType::Kivi2, 128) == 64 * 128 * 3 / 8);
}
