#pragma once

#include "engine/gguf/gguf_file.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace engine {

enum class RopeScaling
{
    None,
    Linear,     // position interpolation: every frequency divided by the factor
    Ntk,        // base raised once, so that the slowest pair is slowed down by the factor
    DynamicNtk, // the same, raised as far as the planned length needs it
    Yarn,       // fast pairs kept, slow pairs divided, a ramp between, and a larger magnitude
    Llama3,     // the like of YaRN with the ramp over wavelengths and no magnitude
    LongRope    // measured divisors, one set for short and one for long contexts
};

/// Everything that decides how positions turn queries and keys. Lengths are in tokens.
struct RopeConfig
{
    RopeScaling scaling = RopeScaling::None;
    std::size_t rotaryDims = 0; // even; the head's dimensions that are turned
    double base = 10000.0;
    double factor = 1.0;
    std::uint64_t originalContext = 0; // the length that the model was trained with before scaling
    std::uint64_t contextLength = 0;   // the length that the scaled model states
    std::uint64_t plannedLength =
        0; // the longest text this state will hold: decided once, never changed

    double betaFast = 32.0; // YaRN: pairs with more turns than this over originalContext are kept
    double betaSlow = 1.0;  // YaRN: pairs with fewer turns are divided by the factor
    bool wholeRange = true; // YaRN: ends of the ramp rounded outwards to whole pairs
    double magnitudeScale = 1.0;
    double magnitudeScaleAllDims = 0.0;

    double lowFrequencyFactor = 1.0;  // Llama3
    double highFrequencyFactor = 4.0; // Llama3

    /// Multiplies the magnitude of every scaling. Unset: 1, but LongRope computes its own.
    std::optional<double> attentionFactor;

    /// rotaryDims / 2 numbers or none: each divides one frequency, before any scaling.
    std::vector<float> divisors;
    /// Used in place of `divisors` if plannedLength is above originalContext; may be empty.
    std::vector<float> longDivisors;

    /// One line that is equal for two configurations exactly if their tables are made alike; part
    /// of the identity of a saved context. Does not depend on the locale or the machine.
    std::string canonical() const;
    /// FNV-1a, 64 bits, of canonical().
    std::uint64_t hash() const;
};

/// frequencies[i] is the angle in radians by which pair i turns from one position to the next;
/// `magnitude` multiplies cosine and sine of both queries and keys.
struct RopeTable
{
    std::vector<double> frequencies; // rotaryDims / 2
    float magnitude = 1.0F;
};

/// Throws Damaged with a sentence if the numbers cannot belong to a model.
///
/// Sources: position interpolation, Chen et al. 2023 (arXiv:2306.15595, equation 4); YaRN and the
/// NTK-aware forms, Peng et al. 2023 (arXiv:2309.00071, equations 16, 17, 20 to 23); LongRoPE, Ding
/// et al. 2024 (arXiv:2402.13753); llama3: the published reference code of Llama 3.1,
/// apply_scaling.
RopeTable makeRopeTable(const RopeConfig& config);

/// YaRN's magnitude 0.1 x scale x ln(factor) + 1, and 1 for factors up to 1 (equation 22 with its
/// square root taken). A model of the DeepSeek kind multiplies its softmax scale by the square of
/// this.
double yarnMagnitude(double factor, double scale = 1.0);

/// The divisors that a GGUF file keeps as tensors; any may be empty.
struct RopeDivisors
{
    std::vector<float> all;      // rope_freqs.weight
    std::vector<float> shortSet; // rope_factors_short.weight
    std::vector<float> longSet;  // rope_factors_long.weight
};

/// Reads the keys "<architecture>.rope.*" as llama.cpp does: a factor without a type is linear,
/// type "none" switches scaling off, rope_freqs.weight wins over the short and long sets, which are
/// chosen by `plannedLength` (tokens, the state's full length) whatever the type says. Throws
/// Unsupported for an unknown type, Damaged for impossible numbers.
RopeConfig readRopeConfig(const GgufFile& file, std::string_view architecture, std::size_t headDim,
                          std::uint64_t plannedLength, RopeDivisors divisors = {});

/// The same for the layers with a sliding window of models that give them a base of their own
/// (gemma3):
/// "<architecture>.rope.freq_base_swa", 10000 if missing, no scaling and no divisors.
RopeConfig readWindowRopeConfig(const GgufFile& file, std::string_view architecture,
                                std::size_t headDim);

} // namespace engine
