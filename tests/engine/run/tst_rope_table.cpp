#include "engine/run/rope_table.h"

#include <cmath>
#include <doctest/doctest.h>

using engine::RopeConfig;
using engine::RopeScaling;

namespace {

/// Equal to the ten digits that the published numbers have.
doctest::Approx near(double value)
{
    return doctest::Approx(value).epsilon(2e-9);
}

RopeConfig plain(double base, std::size_t dims, std::uint64_t original)
{
    RopeConfig config;
    config.base = base;
    config.rotaryDims = dims;
    config.originalContext = original;
    return config;
}

RopeConfig scaled(RopeScaling scaling, double factor, RopeConfig config)
{
    config.scaling = scaling;
    config.factor = factor;
    return config;
}

/// The last frequency tells the base: f = base^(-(d - 2) / d).
double baseOf(const RopeConfig& config)
{
    const auto d = static_cast<double>(config.rotaryDims);
    return std::pow(makeRopeTable(config).frequencies.back(), -d / (d - 2.0));
}

/// Metadata without a file around it.
class MetadataOnly : public engine::GgufFile
{
public:
    explicit MetadataOnly(std::map<std::string, engine::GgufValue, std::less<>> metadata)
    {
        m_name = "test.gguf";
        m_metadata = std::move(metadata);
    }
};

} // namespace

TEST_CASE("plain rotary frequencies fall from 1 by powers of the base")
{
    const auto table = makeRopeTable(plain(1e4, 128, 4096));
    REQUIRE(table.frequencies.size() == 64);
    CHECK(table.frequencies[0] == 1.0);
    CHECK(table.frequencies[31] == near(1.154781985e-2));
    CHECK(table.magnitude == 1.0F);
}

TEST_CASE("linear scaling divides every frequency")
{
    const auto config = plain(1e4, 64, 4096);
    const auto before = makeRopeTable(config);
    const auto after = makeRopeTable(scaled(RopeScaling::Linear, 4, config));
    for (std::size_t i = 0; i < before.frequencies.size(); ++i) {
        CHECK(after.frequencies[i] == before.frequencies[i] / 4.0);
    }
    CHECK(after.magnitude == 1.0F);
}

TEST_CASE("NTK scaling raises the base; the first pair stays and the last is divided")
{
    const auto llama = plain(1e4, 128, 4096);
    CHECK(baseOf(scaled(RopeScaling::Ntk, 2, llama)) == near(20221.261690));
    CHECK(baseOf(scaled(RopeScaling::Ntk, 4, llama)) == near(40889.942432));
    CHECK(baseOf(scaled(RopeScaling::Ntk, 8, llama)) == near(82684.622641));
    CHECK(baseOf(scaled(RopeScaling::Ntk, 16, llama)) == near(167198.739213));
    const auto table = makeRopeTable(scaled(RopeScaling::Ntk, 8, llama));
    CHECK(table.frequencies.front() == 1.0);
    CHECK(table.frequencies.back() == near(makeRopeTable(llama).frequencies.back() / 8.0));
    CHECK(makeRopeTable(scaled(RopeScaling::Ntk, 8, plain(1e4, 2, 1))).frequencies[0] == 1.0);
}

TEST_CASE("dynamic NTK goes by the planned length")
{
    const auto at = [](double factor, std::uint64_t length) {
        auto config = scaled(RopeScaling::DynamicNtk, factor, plain(1e4, 128, 4096));
        config.plannedLength = length;
        return config;
    };
    CHECK(baseOf(at(1, 4096)) == near(10000.0));
    CHECK(baseOf(at(1, 5000)) == doctest::Approx(12245.7339).epsilon(1e-8));
    CHECK(baseOf(at(1, 8192)) == doctest::Approx(20221.2617).epsilon(1e-8));
    CHECK(baseOf(at(1, 16384)) == doctest::Approx(40889.9424).epsilon(1e-8));
    CHECK(baseOf(at(2, 8192)) == doctest::Approx(30527.7367).epsilon(1e-8));
    CHECK(baseOf(at(2, 16384)) == doctest::Approx(72195.8601).epsilon(1e-8));
    CHECK(at(2, 100).hash() == at(2, 4000).hash());
    CHECK(at(2, 8192).hash() != at(2, 16384).hash());
}

TEST_CASE("YaRN reproduces the published Llama 2 tables")
{
    struct Row
    {
        double factor, f21, f31, f45, f63, magnitude;
    };
    const Row rows[] = {
        {2, 4.776027651e-2, 9.105011802e-3, 7.995772347e-4, 5.773909923e-5, 1.069314718},
        {4, 4.729203850e-2, 7.883607780e-3, 4.294025890e-4, 2.886954962e-5, 1.138629436},
        {8, 4.705791950e-2, 7.272905769e-3, 2.443152662e-4, 1.443477481e-5, 1.207944154},
        {16, 4.694086000e-2, 6.967554763e-3, 1.517716047e-4, 7.217387404e-6, 1.277258872},
    };
    const auto before = makeRopeTable(plain(1e4, 128, 4096)).frequencies;
    for (const Row& row : rows) {
        CAPTURE(row.factor);
        const auto table =
            makeRopeTable(scaled(RopeScaling::Yarn, row.factor, plain(1e4, 128, 4096)));
        const auto& f = table.frequencies;
        CHECK(f[20] == before[20]);
        CHECK(f[46] == before[46] / row.factor);
        CHECK(f[21] == near(row.f21));
        CHECK(f[31] == near(row.f31));
        CHECK(f[45] == near(row.f45));
        CHECK(f[63] == near(row.f63));
        CHECK(table.magnitude == doctest::Approx(row.magnitude).epsilon(1e-7));
    }
}

TEST_CASE("YaRN for other models")
{
    const auto qwen = makeRopeTable(scaled(RopeScaling::Yarn, 4, plain(1e6, 128, 32768)));
    CHECK(qwen.frequencies[24] == near(5.375321491e-3));
    CHECK(qwen.frequencies[39] == near(6.490394321e-5));
    CHECK(qwen.frequencies[63] == near(3.102344402e-7));

    auto open = scaled(RopeScaling::Yarn, 32, plain(150000, 64, 4096));
    open.wholeRange = false;
    const auto gptOss = makeRopeTable(open);
    CHECK(gptOss.frequencies[9] == near(3.170569618e-2));
    CHECK(gptOss.frequencies[17] == near(1.293187012e-4));
    CHECK(gptOss.magnitude == doctest::Approx(1.346573590).epsilon(1e-7));

    auto deepSeek = scaled(RopeScaling::Yarn, 40, plain(1e4, 64, 4096));
    deepSeek.magnitudeScaleAllDims = 1.0;
    CHECK(makeRopeTable(deepSeek).frequencies[16] == near(5.5e-3));
    CHECK(makeRopeTable(deepSeek).magnitude == 1.0F);
    CHECK(engine::yarnMagnitude(40) == near(1.368887945));
    CHECK(std::pow(engine::yarnMagnitude(40), 2) == near(1.873854207));
}

TEST_CASE("YaRN by a factor of one changes nothing")
{
    const auto before = makeRopeTable(plain(1e4, 128, 4096));
    const auto after = makeRopeTable(scaled(RopeScaling::Yarn, 1, plain(1e4, 128, 4096)));
    for (std::size_t i = 0; i < before.frequencies.size(); ++i) {
        CHECK(after.frequencies[i] == near(before.frequencies[i]));
    }
    CHECK(after.magnitude == 1.0F);
}

TEST_CASE("llama3 scaling equals the published divisors")
{
    const auto divisor = [](double factor, std::size_t dims, std::size_t pair) {
        const auto config = plain(5e5, dims, 8192);
        return makeRopeTable(config).frequencies[pair] /
               makeRopeTable(scaled(RopeScaling::Llama3, factor, config)).frequencies[pair];
    };
    const double large[] = {1,           1.207483871, 1.553414629, 2.026313206,
                            2.694529688, 3.684252528, 5.257326589, 8};
    for (std::size_t i = 0; i < std::size(large); ++i) {
        CHECK(divisor(8, 128, 28 + i) == near(large[i]));
    }
    const double small[] = {1, 1.651329246, 3.292262103, 9.666728979, 32};
    for (std::size_t i = 0; i < std::size(small); ++i) {
        CHECK(divisor(32, 64, 14 + i) == near(small[i]));
    }
}

TEST_CASE("longrope picks its divisors by the planned length and has its own magnitude")
{
    auto config = scaled(RopeScaling::LongRope, 1, plain(1e4, 4, 4096));
    config.contextLength = 131072;
    config.divisors = {1.0F, 2.0F};
    config.longDivisors = {4.0F, 8.0F};
    config.plannedLength = 4096;
    CHECK(makeRopeTable(config).frequencies == std::vector<double>{1.0, 0.01 / 2.0});
    CHECK(makeRopeTable(config).magnitude == doctest::Approx(1.190238071).epsilon(1e-7));
    const auto shortHash = config.hash();
    config.plannedLength = 4097;
    CHECK(makeRopeTable(config).frequencies == std::vector<double>{0.25, 0.01 / 8.0});
    CHECK(config.hash() != shortHash);
    config.attentionFactor = 1.5;
    CHECK(makeRopeTable(config).magnitude == 1.5F);
}

TEST_CASE("impossible numbers are refused with a sentence")
{
    CHECK_THROWS_AS(makeRopeTable(plain(1e4, 0, 0)), engine::Error);
    CHECK_THROWS_AS(makeRopeTable(plain(1e4, 7, 0)), engine::Error);
    CHECK_THROWS_AS(makeRopeTable(plain(0, 8, 0)), engine::Error);
    CHECK_THROWS_AS(makeRopeTable(plain(std::nan(""), 8, 0)), engine::Error);
    CHECK_THROWS_AS(makeRopeTable(scaled(RopeScaling::Linear, 0, plain(1e4, 8, 0))), engine::Error);
    CHECK_THROWS_AS(makeRopeTable(scaled(RopeScaling::Yarn, 4, plain(1e4, 8, 0))), engine::Error);
    auto config = plain(1e4, 8, 0);
    config.divisors = {1, 2, 3};
    CHECK_THROWS_WITH_AS(makeRopeTable(config), doctest::Contains("3 frequency divisors for 4"),
                         engine::Error);
    config.divisors = {1, 2, 0, 4};
    CHECK_THROWS_AS(makeRopeTable(config), engine::Error);
}

TEST_CASE("the canonical line names what matters")
{
    auto config = scaled(RopeScaling::Yarn, 4, plain(1e6, 128, 32768));
    CHECK(config.canonical() == "rope 1 yarn dims=128 base=1e+06 factor=4 original=32768 fast=32 "
                                "slow=1 whole=1 scale=1 scaleAll=0");
    const auto before = config.hash();
    config.betaFast = 33;
    CHECK(config.hash() != before);
}

TEST_CASE("metadata of a GGUF file")
{
    using namespace std::string_literals;
    SUBCASE("nothing is plain")
    {
        const auto config = readRopeConfig(MetadataOnly({}), "llama", 64, 100);
        CHECK(config.scaling == RopeScaling::None);
        CHECK(config.rotaryDims == 64);
        CHECK(config.base == 10000.0);
    }
    SUBCASE("a factor without a type is linear, and so is the old key")
    {
        for (const auto* key : {"llama.rope.scaling.factor", "llama.rope.scale_linear"}) {
            const auto config = readRopeConfig(MetadataOnly({{key, 4.0}}), "llama", 64, 100);
            CHECK(config.scaling == RopeScaling::Linear);
            CHECK(config.factor == 4.0);
        }
    }
    SUBCASE("type none switches the factor off")
    {
        const MetadataOnly file(
            {{"llama.rope.scaling.factor", 4.0}, {"llama.rope.scaling.type", "none"s}});
        CHECK(makeRopeTable(readRopeConfig(file, "llama", 64, 100)).frequencies ==
              makeRopeTable(plain(1e4, 64, 0)).frequencies);
    }
    SUBCASE("YaRN takes the context length if there is no original one")
    {
        const MetadataOnly file({{"llama.rope.scaling.factor", 8.0},
                                 {"llama.rope.scaling.type", "yarn"s},
                                 {"llama.rope.scaling.attn_factor", 2.0},
                                 {"llama.context_length", std::uint64_t{4096}}});
        const auto config = readRopeConfig(file, "llama", 64, 100);
        CHECK(config.scaling == RopeScaling::Yarn);
        CHECK(config.originalContext == 4096);
        CHECK(makeRopeTable(config).magnitude == doctest::Approx(2 * 1.207944154).epsilon(1e-7));
    }
    SUBCASE("long divisors go by the planned length whatever the type, and rope_freqs wins")
    {
        const MetadataOnly file({{"phi3.rope.scaling.original_context_length", std::uint64_t{512}},
                                 {"phi3.rope.scaling.attn_factor", 1.25}});
        const engine::RopeDivisors divisors{{}, {2, 2}, {4, 4}};
        const auto atShort = makeRopeTable(readRopeConfig(file, "phi3", 4, 512, divisors));
        const auto atLong = makeRopeTable(readRopeConfig(file, "phi3", 4, 513, divisors));
        CHECK(atShort.frequencies[0] == 0.5);
        CHECK(atLong.frequencies[0] == 0.25);
        CHECK(atLong.magnitude == 1.25F);
        const auto all =
            makeRopeTable(readRopeConfig(file, "phi3", 4, 513, {{8, 8}, {2, 2}, {4, 4}}));
        CHECK(all.frequencies[0] == 0.125);
    }
    SUBCASE("unknown types and impossible sizes")
    {
        CHECK_THROWS_WITH_AS(
            readRopeConfig(MetadataOnly({{"llama.rope.scaling.type", "llama3"s}}), "llama", 64, 1),
            doctest::Contains("llama3"), engine::Error);
        const MetadataOnly file({{"llama.rope.dimension_count", std::uint64_t{66}}});
        CHECK_THROWS_AS(readRopeConfig(file, "llama", 64, 1), engine::Error);
    }
    SUBCASE("layers with a window have their own base and no scaling")
    {
        const MetadataOnly file({{"gemma3.rope.scaling.factor", 8.0},
                                 {"gemma3.rope.freq_base", 1e6},
                                 {"gemma3.rope.freq_base_swa", 20000.0}});
        CHECK(readRopeConfig(file, "gemma3", 64, 1).base == 1e6);
        const auto window = readWindowRopeConfig(file, "gemma3", 64);
        CHECK(window.base == 20000.0);
        CHECK(window.scaling == RopeScaling::None);
    }
}
