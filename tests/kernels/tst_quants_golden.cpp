// Blocks of the reference's weight formats and the floats they stand for, bit for bit.

#include "kernels/formats/bf16.h"
#include "kernels/formats/f16.h"
#include "kernels/formats/quantise.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace {

using kernels::WeightType;

std::vector<std::byte> readBytes(const std::filesystem::path& path)
{
    std::ifstream file(path, std::ios::binary);
    REQUIRE(file.is_open());
    const std::vector<char> chars{std::istreambuf_iterator<char>(file), {}};
    std::vector<std::byte> bytes(chars.size());
    std::memcpy(bytes.data(), chars.data(), chars.size());
    return bytes;
}

/// Rounds to `type` and back.
std::vector<float> roundTrip(const std::vector<float>& values, WeightType type)
{
    std::vector<std::byte> bytes(kernels::rowBytes(type, values.size()));
    kernels::quantiseRow(bytes, values, type);
    std::vector<float> result(values.size());
    kernels::dequantiseBlocks(result, bytes, type);
    return result;
}

} // namespace

TEST_CASE("dequantised golden blocks equal the reference bit for bit")
{
    const std::filesystem::path folder = std::filesystem::path(SHARED_DIR) / "goldens" / "quants";
    if (!std::filesystem::exists(folder)) {
        MESSAGE("skipped: no reference data in ", folder.string());
        return;
    }
    const std::vector<std::pair<WeightType, std::string>> types{{WeightType::F16, "F16"},
                                                                {WeightType::BF16, "BF16"},
                                                                {WeightType::Q8_0, "Q8_0"},
                                                                {WeightType::Q4_0, "Q4_0"}};
    for (const auto& [type, name] : types) {
        CAPTURE(name);
        const std::vector<std::byte> blocks = readBytes(folder / (name + ".bin"));
        const std::vector<std::byte> expected = readBytes(folder / (name + ".f32"));
        std::vector<float> decoded(expected.size() / sizeof(float));
        REQUIRE(decoded.size() == 2048);
        kernels::dequantiseBlocks(decoded, blocks, type);
        CHECK(std::memcmp(decoded.data(), expected.data(), expected.size()) == 0);
    }
}

TEST_CASE("every half survives decoding and encoding")
{
    for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        const float value = kernels::decodeF16(half);
        if (std::isnan(value)) {
            REQUIRE(std::isnan(kernels::decodeF16(kernels::encodeF16(value))));
            REQUIRE(std::isnan(kernels::decodeBf16(kernels::encodeBf16(value))));
        } else {
            REQUIRE(kernels::encodeF16(value) == half);
        }
    }
}

TEST_CASE("halves are rounded to nearest, ties to even")
{
    CHECK(kernels::encodeF16(1.0F) == 0x3C00);
    CHECK(kernels::encodeF16(1.0F + 0x1p-11F) == 0x3C00);            // a tie, down to even
    CHECK(kernels::encodeF16(1.0F + 0x1p-11F + 0x1p-20F) == 0x3C01); // above it
    CHECK(kernels::encodeF16(1.0F + 0x3p-11F) == 0x3C02);            // a tie, up to even
    CHECK(kernels::encodeF16(65519.0F) == 0x7BFF);
    CHECK(kernels::encodeF16(65520.0F) == 0x7C00); // rounds to infinity
    CHECK(kernels::encodeF16(-1e30F) == 0xFC00);
    CHECK(kernels::encodeF16(0x1p-24F) == 0x0001);
    CHECK(kernels::encodeF16(0x1p-25F) == 0x0000); // half of the smallest subnormal, to even
    CHECK(kernels::encodeF16(0x1.8p-25F) == 0x0001);
    CHECK(kernels::encodeF16(0x1.ffcp-15F) == 0x0400); // the largest subnormals round up to normal
    CHECK(kernels::encodeF16(-0.0F) == 0x8000);
    CHECK(kernels::encodeBf16(1.0F + 0x1p-8F) == 0x3F80);
    CHECK(kernels::encodeBf16(1.0F + 0x3p-8F) == 0x3F82);
    CHECK(kernels::encodeBf16(std::numeric_limits<float>::max()) == 0x7F80);
}

TEST_CASE("encoding keeps every value within half a step of its block")
{
    std::mt19937 random(11);
    std::normal_distribution<float> normal(0.0F, 0.3F);
    std::vector<float> values(32 * 64);
    std::ranges::generate(values, [&] { return normal(random); });
    const std::vector<float> q8 = roundTrip(values, WeightType::Q8_0);
    const std::vector<float> q4 = roundTrip(values, WeightType::Q4_0);
    for (std::size_t begin = 0; begin < values.size(); begin += 32) {
        float largest = 0.0F;
        for (std::size_t i = begin; i < begin + 32; ++i)
            largest = std::max(largest, std::fabs(values[i]));
        for (std::size_t i = begin; i < begin + 32; ++i) {
            // The float16 rounding of the scale moves a value by up to 2^-11 of it.
            CHECK(std::fabs(q8[i] - values[i]) <= largest * (0.5F / 127.0F + 0x1p-10F));
            // The value opposite to the extreme one is cut at 7 of 8 steps.
            CHECK(std::fabs(q4[i] - values[i]) <= largest * (1.0F / 8.0F + 0x1p-10F));
        }
    }
    CHECK(roundTrip(std::vector<float>(32, 0.0F), WeightType::Q8_0) == std::vector<float>(32));
    CHECK(roundTrip(std::vector<float>(32, 1e-44F), WeightType::Q4_0) == std::vector<float>(32));
    CHECK(roundTrip(std::vector<float>(32, -2.0F), WeightType::Q4_0) ==
          std::vector<float>(32, -2.0F));
}

TEST_CASE("encoding what was decoded changes nothing")
{
    std::mt19937 random(5);
    std::uniform_real_distribution<float> uniform(-4.0F, 4.0F);
    std::vector<float> values(32 * 16);
    std::ranges::generate(values, [&] { return uniform(random); });
    for (const WeightType type :
         {WeightType::F32, WeightType::F16, WeightType::BF16, WeightType::Q8_0, WeightType::Q4_0}) {
        CAPTURE(static_cast<int>(type));
        const std::vector<float> once = roundTrip(values, type);
        CHECK(roundTrip(once, type) == once);
    }
}

TEST_CASE("rows that are not whole blocks are refused")
{
    std::vector<std::byte> bytes(34);
    std::vector<float> values(31);
    CHECK_THROWS_AS(kernels::quantiseRow(bytes, values, WeightType::Q8_0), std::invalid_argument);
    values.resize(32);
    bytes.resize(33);
    CHECK_THROWS_AS(kernels::dequantiseBlocks(values, bytes, WeightType::Q8_0),
                    std::invalid_argument);
}
