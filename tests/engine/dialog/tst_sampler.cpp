#include "engine/dialog/sampler.h"
#include "engine/error.h"

#include <cmath>
#include <doctest/doctest.h>
#include <limits>
#include <map>

using engine::Sampler;
using engine::SamplingOptions;

namespace {

/// Everything off: the softmax itself.
SamplingOptions open(float temperature = 1.0F)
{
    SamplingOptions options;
    options.temperature = temperature;
    options.topK = 0;
    options.topP = 1.0F;
    options.minP = 0.0F;
    return options;
}

std::map<std::int32_t, int> histogram(Sampler sampler, std::span<const float> logits, int draws)
{
    std::map<std::int32_t, int> counts;
    for (int i = 0; i < draws; ++i) {
        ++counts[sampler.sample(logits)];
    }
    return counts;
}

} // namespace

TEST_CASE("greedy takes the largest logit and of equal ones the lower id")
{
    Sampler sampler({});
    CHECK(sampler.sample(std::vector<float>{1, 3, 2}) == 1);
    CHECK(sampler.sample(std::vector<float>{1, 3, 3, 3}) == 1);
    CHECK(sampler.sample(std::vector<float>{-5}) == 0);
    CHECK(sampler.sample(std::vector<float>{0, std::nanf(""), -1}) == 0);
    CHECK(sampler.sample(std::vector<float>{0, std::numeric_limits<float>::infinity()}) == 1);
}

TEST_CASE("draws follow the softmax")
{
    const std::vector<float> logits{std::log(0.5F), std::log(0.3F), std::log(0.2F)};
    auto counts = histogram(Sampler(open()), logits, 20000);
    CHECK(counts[0] == doctest::Approx(10000).epsilon(0.03));
    CHECK(counts[1] == doctest::Approx(6000).epsilon(0.05));
    CHECK(counts[2] == doctest::Approx(4000).epsilon(0.05));
}

TEST_CASE("temperature sharpens or flattens")
{
    const std::vector<float> logits{1000.0F, 999.0F};
    const double likely = histogram(Sampler(open(0.5F)), logits, 20000)[0] / 20000.0;
    CHECK(likely == doctest::Approx(1.0 / (1.0 + std::exp(-2.0))).epsilon(0.02));
    const double flat = histogram(Sampler(open(10.0F)), logits, 20000)[0] / 20000.0;
    CHECK(flat == doctest::Approx(1.0 / (1.0 + std::exp(-0.1))).epsilon(0.03));
}

TEST_CASE("top-k, top-p and min-p cut the tail")
{
    const std::vector<float> logits{std::log(0.1F), std::log(0.5F), std::log(0.25F),
                                    std::log(0.15F)};
    const auto kept = [&](SamplingOptions options) {
        std::vector<std::int32_t> ids;
        for (const auto& [id, count] : histogram(Sampler(options), logits, 4000)) {
            ids.push_back(id);
        }
        return ids;
    };
    auto options = open();
    CHECK(kept(options) == std::vector<std::int32_t>{0, 1, 2, 3});
    options.topK = 2;
    CHECK(kept(options) == std::vector<std::int32_t>{1, 2});
    options = open();
    options.topP = 0.6F;
    CHECK(kept(options) == std::vector<std::int32_t>{1, 2});
    options.topP = 0.01F;
    CHECK(kept(options) == std::vector<std::int32_t>{1});
    options = open();
    options.minP = 0.29F;
    CHECK(kept(options) == std::vector<std::int32_t>{1, 2, 3});
    options.minP = 1.0F;
    CHECK(kept(options) == std::vector<std::int32_t>{1});
}

TEST_CASE("the repetition penalty looks back over its window, once per token")
{
    SamplingOptions options;
    options.repetitionPenalty = 2.0F;
    options.repetitionWindow = 2;
    Sampler sampler(options);
    const std::vector<float> logits{3.0F, 2.0F, -1.0F, 1.6F};
    CHECK(sampler.sample(logits) == 0);
    sampler.accept(0);
    sampler.accept(0);
    CHECK(sampler.sample(logits) == 1); // 1.5 and not 0.75 against 2.0
    CHECK(sampler.sample(std::vector<float>{3.0F, 1.4F}) == 0);
    sampler.accept(1);
    CHECK(sampler.sample(logits) == 3);
    sampler.accept(3);
    CHECK(sampler.sample(logits) == 0); // 0 has left the window
    Sampler negative(options);
    negative.accept(0);
    CHECK(negative.sample(std::vector<float>{-1.0F, -1.5F}) == 1);
    negative.accept(-7);
    negative.accept(1000);
    CHECK(negative.sample(std::vector<float>{1.0F, 0.5F}) == 0);
}

TEST_CASE("one seed gives one sequence, on every machine")
{
    auto options = open();
    options.seed = 42;
    Sampler sampler(options);
    const std::vector<float> logits(10, 0.0F);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 12; ++i) {
        ids.push_back(sampler.sample(logits));
    }
    // Computed apart from this program, from the definition of SplitMix64.
    CHECK(ids == std::vector<std::int32_t>{7, 1, 2, 3, 0, 8, 2, 8, 3, 6, 2, 4});
    auto other = options;
    other.seed = 43;
    CHECK(histogram(Sampler(other), logits, 100) != histogram(Sampler(options), logits, 100));
}

TEST_CASE("impossible input is refused")
{
    Sampler sampler(open());
    CHECK_THROWS_AS(sampler.sample({}), engine::Error);
    const float nothing = -std::numeric_limits<float>::infinity();
    CHECK_THROWS_AS(sampler.sample(std::vector<float>{nothing, nothing}), engine::Error);
    CHECK(sampler.sample(std::vector<float>{nothing, 1.0F, nothing}) == 1);

    const auto with = [](auto change) {
        SamplingOptions options;
        change(options);
        return options;
    };
    CHECK_THROWS_AS(Sampler(with([](auto& o) { o.temperature = -1; })), engine::Error);
    CHECK_THROWS_AS(Sampler(with([](auto& o) { o.temperature = std::nanf(""); })), engine::Error);
    CHECK_THROWS_AS(Sampler(with([](auto& o) { o.topK = -1; })), engine::Error);
    CHECK_THROWS_AS(Sampler(with([](auto& o) { o.topP = 0; })), engine::Error);
    CHECK_THROWS_AS(Sampler(with([](auto& o) { o.minP = 1.5F; })), engine::Error);
    CHECK_THROWS_AS(Sampler(with([](auto& o) { o.repetitionPenalty = 0; })), engine::Error);
    CHECK_THROWS_WITH_AS(Sampler(with([](auto& o) { o.repetitionWindow = -1; })),
                         doctest::Contains("repetition window"), engine::Error);
}
