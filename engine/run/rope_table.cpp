#include "engine/run/rope_table.h"

#include "engine/error.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace engine {

namespace {

[[noreturn]] void refuse(const std::string& what)
{
    throw Error(ErrorCode::Damaged, "The model's rotary position settings are damaged: " + what +
                                        ". Download the model file again or use another one.");
}

bool isPositive(double value)
{
    return std::isfinite(value) && value > 0.0;
}

const std::vector<float>& chosenDivisors(const RopeConfig& config)
{
    const bool isLong = config.plannedLength > config.originalContext;
    return isLong && !config.longDivisors.empty() ? config.longDivisors : config.divisors;
}

void checkDivisors(const std::vector<float>& divisors, std::size_t pairs)
{
    if (divisors.empty()) {
        return;
    }
    if (divisors.size() != pairs) {
        refuse("there are " + std::to_string(divisors.size()) + " frequency divisors for " +
               std::to_string(pairs) + " pairs");
    }
    if (!std::all_of(divisors.begin(), divisors.end(), [](float d) { return isPositive(d); })) {
        refuse("a frequency divisor is not a positive number");
    }
}

void check(const RopeConfig& config)
{
    if (config.rotaryDims == 0 || config.rotaryDims % 2 != 0) {
        refuse("the number of rotated dimensions is " + std::to_string(config.rotaryDims) +
               ", which is not even and positive");
    }
    if (!isPositive(config.base)) {
        refuse("the base frequency is not a positive number");
    }
    if (!isPositive(config.factor)) {
        refuse("the scaling factor is not a positive number");
    }
    if (config.attentionFactor && !isPositive(*config.attentionFactor)) {
        refuse("the attention factor is not a positive number");
    }
    const bool needsOriginal = config.scaling == RopeScaling::DynamicNtk ||
                               config.scaling == RopeScaling::Yarn ||
                               config.scaling == RopeScaling::Llama3;
    if (needsOriginal && config.originalContext == 0) {
        refuse("the original context length is missing");
    }
    if (config.scaling == RopeScaling::Yarn &&
        (config.base <= 1.0 || !isPositive(config.betaFast) || !isPositive(config.betaSlow))) {
        refuse("the YaRN correction range cannot be computed");
    }
    if (config.scaling == RopeScaling::Llama3 &&
        !(isPositive(config.lowFrequencyFactor) &&
          config.highFrequencyFactor > config.lowFrequencyFactor)) {
        refuse("the low and high frequency factors are not in order");
    }
    checkDivisors(chosenDivisors(config), config.rotaryDims / 2);
}

/// The base that slows the last pair down by `slowdown` and leaves the first one alone.
double raisedBase(double base, double slowdown, std::size_t dims)
{
    if (dims == 2) {
        return base; // the only pair has frequency 1 whatever the base
    }
    const auto d = static_cast<double>(dims);
    return base * std::pow(slowdown, d / (d - 2.0));
}

double effectiveBase(const RopeConfig& config)
{
    if (config.scaling == RopeScaling::Ntk) {
        return raisedBase(config.base, config.factor, config.rotaryDims);
    }
    if (config.scaling == RopeScaling::DynamicNtk &&
        config.plannedLength > config.originalContext) {
        const double stretch =
            static_cast<double>(config.plannedLength) / static_cast<double>(config.originalContext);
        const double slowdown = config.factor * stretch - (config.factor - 1.0);
        return raisedBase(config.base, slowdown, config.rotaryDims);
    }
    return config.base;
}

/// YaRN's interpolation: pair numbers up to `low` are kept, from `high` on divided by the factor.
struct Ramp
{
    double low = 0.0;
    double high = 0.0;

    double at(std::size_t pair) const
    {
        return std::clamp((static_cast<double>(pair) - low) / (high - low), 0.0, 1.0);
    }
};

Ramp yarnRamp(const RopeConfig& config)
{
    const auto dims = static_cast<double>(config.rotaryDims);
    const auto length = static_cast<double>(config.originalContext);
    const auto pairTurning = [&](double turns) {
        return dims * std::log(length / (turns * 2.0 * std::numbers::pi)) /
               (2.0 * std::log(config.base));
    };
    Ramp ramp{pairTurning(config.betaFast), pairTurning(config.betaSlow)};
    if (config.wholeRange) {
        ramp.low = std::floor(ramp.low);
        ramp.high = std::ceil(ramp.high);
    }
    ramp.low = std::max(ramp.low, 0.0);
    ramp.high = std::min(ramp.high, dims - 1.0);
    ramp.high = std::max(ramp.high, ramp.low + 0.001);
    return ramp;
}

void applyYarn(const RopeConfig& config, std::vector<double>& frequencies)
{
    const Ramp ramp = yarnRamp(config);
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
        const double share = ramp.at(i);
        frequencies[i] = frequencies[i] * (1.0 - share) + frequencies[i] / config.factor * share;
    }
}

void applyLlama3(const RopeConfig& config, std::vector<double>& frequencies)
{
    const auto length = static_cast<double>(config.originalContext);
    const double low = config.lowFrequencyFactor;
    const double high = config.highFrequencyFactor;
    for (double& frequency : frequencies) {
        const double turns = length * frequency / (2.0 * std::numbers::pi);
        const double kept = std::clamp((turns - low) / (high - low), 0.0, 1.0);
        frequency = (1.0 - kept) * frequency / config.factor + kept * frequency;
    }
}

double magnitudeOf(const RopeConfig& config)
{
    double magnitude = config.attentionFactor.value_or(1.0);
    if (config.scaling == RopeScaling::Yarn) {
        magnitude *= yarnMagnitude(config.factor, config.magnitudeScale) /
                     yarnMagnitude(config.factor, config.magnitudeScaleAllDims);
    }
    if (config.scaling == RopeScaling::LongRope && !config.attentionFactor &&
        config.originalContext > 1 && config.contextLength > config.originalContext) {
        const auto original = static_cast<double>(config.originalContext);
        const double stretch = static_cast<double>(config.contextLength) / original;
        magnitude = std::sqrt(1.0 + std::log(stretch) / std::log(original));
    }
    return magnitude;
}

} // namespace

double yarnMagnitude(double factor, double scale)
{
    return factor <= 1.0 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

RopeTable makeRopeTable(const RopeConfig& config)
{
    check(config);
    const double base = effectiveBase(config);
    const std::vector<float>& divisors = chosenDivisors(config);

    RopeTable table;
    table.frequencies.resize(config.rotaryDims / 2);
    for (std::size_t i = 0; i < table.frequencies.size(); ++i) {
        const double exponent =
            -2.0 * static_cast<double>(i) / static_cast<double>(config.rotaryDims);
        table.frequencies[i] = std::pow(base, exponent);
        if (!divisors.empty()) {
            table.frequencies[i] /= static_cast<double>(divisors[i]);
        }
    }
    if (config.scaling == RopeScaling::Linear || config.scaling == RopeScaling::LongRope) {
        for (double& frequency : table.frequencies) {
            frequency /= config.factor;
        }
    } else if (config.scaling == RopeScaling::Yarn) {
        applyYarn(config, table.frequencies);
    } else if (config.scaling == RopeScaling::Llama3) {
        applyLlama3(config, table.frequencies);
    }
    table.magnitude = static_cast<float>(magnitudeOf(config));
    return table;
}

} // namespace engine
