#include "engine/error.h"
#include "engine/run/rope_table.h"

#include <array>
#include <bit>
#include <charconv>
#include <utility>

namespace engine {

namespace {

constexpr double kDefaultBase = 10000.0;

std::string_view nameOf(RopeScaling scaling)
{
    switch (scaling) {
    case RopeScaling::None:
        return "none";
    case RopeScaling::Linear:
        return "linear";
    case RopeScaling::Ntk:
        return "ntk";
    case RopeScaling::DynamicNtk:
        return "dynamic";
    case RopeScaling::Yarn:
        return "yarn";
    case RopeScaling::Llama3:
        return "llama3";
    case RopeScaling::LongRope:
        return "longrope";
    }
    return "none";
}

constexpr std::uint64_t kFnvOffset = 0xcbf29ce484222325ULL;
constexpr std::uint64_t kFnvPrime = 0x100000001b3ULL;

void addByte(std::uint64_t& hash, std::uint8_t byte)
{
    hash = (hash ^ byte) * kFnvPrime;
}

std::uint64_t hashOf(const std::vector<float>& values)
{
    std::uint64_t hash = kFnvOffset;
    for (const float value : values) {
        const auto bits = std::bit_cast<std::uint32_t>(value);
        for (unsigned shift = 0; shift < 32; shift += 8) {
            addByte(hash, static_cast<std::uint8_t>(bits >> shift));
        }
    }
    return hash;
}

/// Appends " name=value"; doubles in the shortest form that reads back as the same number.
template <typename Number>
void addField(std::string& line, std::string_view name, Number value)
{
    std::array<char, 64> buffer{};
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
    line.append(" ").append(name).append("=").append(buffer.data(), end);
}

std::string keyOf(std::string_view architecture, std::string_view name)
{
    return std::string(architecture) + ".rope." + std::string(name);
}

/// A key with the value 0 counts as missing, as llama.cpp has it.
double readFactor(const GgufFile& file, std::string_view architecture)
{
    auto factor = file.findNumber(keyOf(architecture, "scaling.factor"));
    if (!factor) {
        factor = file.findNumber(keyOf(architecture, "scale_linear"));
    }
    return factor && *factor != 0.0 ? *factor : 1.0;
}

RopeScaling readScaling(const GgufFile& file, std::string_view architecture)
{
    const std::string type =
        file.findString(keyOf(architecture, "scaling.type")).value_or("linear");
    if (type == "none") {
        return RopeScaling::None;
    }
    if (type == "linear") {
        return RopeScaling::Linear;
    }
    if (type == "yarn") {
        return RopeScaling::Yarn;
    }
    if (type == "longrope") {
        return RopeScaling::LongRope;
    }
    throw Error(ErrorCode::Unsupported, "The model " + file.name() +
                                            " scales its positions in a way this program does not "
                                            "know (\"" +
                                            type.substr(0, 40) + "\"). Use another model file.");
}

std::size_t readRotaryDims(const GgufFile& file, std::string_view architecture, std::size_t headDim)
{
    const auto dims = file.findUint(keyOf(architecture, "dimension_count")).value_or(headDim);
    if (dims == 0 || dims > headDim || dims % 2 != 0) {
        throw Error(ErrorCode::Damaged,
                    "The model " + file.name() + " is damaged: it rotates " + std::to_string(dims) +
                        " of " + std::to_string(headDim) +
                        " dimensions of a head. Download it again or use another one.");
    }
    return static_cast<std::size_t>(dims);
}

} // namespace

std::string RopeConfig::canonical() const
{
    std::string line = "rope 1 ";
    line += nameOf(scaling);
    addField(line, "dims", rotaryDims);
    addField(line, "base", base);
    if (scaling != RopeScaling::None) {
        addField(line, "factor", factor);
        addField(line, "original", originalContext);
    }
    const bool isLong = plannedLength > originalContext;
    if (scaling == RopeScaling::DynamicNtk) {
        addField(line, "planned", isLong ? plannedLength : originalContext);
    }
    if (scaling == RopeScaling::Yarn) {
        addField(line, "fast", betaFast);
        addField(line, "slow", betaSlow);
        addField(line, "whole", wholeRange ? 1 : 0);
        addField(line, "scale", magnitudeScale);
        addField(line, "scaleAll", magnitudeScaleAllDims);
    }
    if (scaling == RopeScaling::Llama3) {
        addField(line, "low", lowFrequencyFactor);
        addField(line, "high", highFrequencyFactor);
    }
    if (attentionFactor) {
        addField(line, "attention", *attentionFactor);
    } else if (scaling == RopeScaling::LongRope) {
        addField(line, "context", contextLength);
    }
    const auto& chosen = isLong && !longDivisors.empty() ? longDivisors : divisors;
    if (!chosen.empty()) {
        addField(line, "divisors", hashOf(chosen));
    }
    return line;
}

std::uint64_t RopeConfig::hash() const
{
    std::uint64_t value = kFnvOffset;
    for (const char c : canonical()) {
        addByte(value, static_cast<std::uint8_t>(c));
    }
    return value;
}

RopeConfig readRopeConfig(const GgufFile& file, std::string_view architecture, std::size_t headDim,
                          std::uint64_t plannedLength, RopeDivisors divisors)
{
    RopeConfig config;
    config.scaling = readScaling(file, architecture);
    config.rotaryDims = readRotaryDims(file, architecture, headDim);
    config.base = file.findNumber(keyOf(architecture, "freq_base")).value_or(kDefaultBase);
    if (config.scaling != RopeScaling::None) {
        config.factor = readFactor(file, architecture);
    }
    if (config.scaling == RopeScaling::Linear && config.factor == 1.0) {
        config.scaling = RopeScaling::None;
    }
    config.contextLength = file.findUint(std::string(architecture) + ".context_length").value_or(0);
    config.originalContext = file.findUint(keyOf(architecture, "scaling.original_context_length"))
                                 .value_or(config.contextLength);
    config.plannedLength = plannedLength;
    config.attentionFactor =
        file.findNumber(keyOf(architecture, "scaling.attn_factor")).value_or(1.0);
    if (!divisors.all.empty()) {
        config.divisors = std::move(divisors.all);
    } else {
        config.divisors = std::move(divisors.shortSet);
        config.longDivisors = std::move(divisors.longSet);
    }
    return config;
}

RopeConfig readWindowRopeConfig(const GgufFile& file, std::string_view architecture,
                                std::size_t headDim)
{
    RopeConfig config;
    config.rotaryDims = readRotaryDims(file, architecture, headDim);
    config.base = file.findNumber(keyOf(architecture, "freq_base_swa")).value_or(kDefaultBase);
    config.attentionFactor =
        file.findNumber(keyOf(architecture, "scaling.attn_factor")).value_or(1.0);
    return config;
}

} // namespace engine
