#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace engine {

struct MethodBenchmarkOptions
{
    std::vector<std::string> methods;       // ids, with stages; empty: every method
    std::map<std::string, double> settings; // of the methods beside full
    std::filesystem::path modelPath;        // empty: random weights
    bool largeShape = false;                // of random weights: largeShape() and not smallShape()
    std::filesystem::path tokenizerFrom;    // for random weights: a model file with a tokenizer
    LoadOptions load;
    double keep = 0.25;
    KvType store = KvType::Kivi4;
    std::uint32_t prefillTokens = 4096;
    std::vector<std::uint32_t> depths{16384}; // at which decoding is measured
    std::uint32_t decodeTokens = 16;
    std::uint32_t repeats = 3;
};

/// Tokens per second of decoding behind a document of `depth` tokens.
struct DecodeSpeed
{
    std::uint32_t depth = 0;
    double method = 0;
    double full = 0; // measured alternately with the method's
    double ratio() const { return full > 0 ? method / full : 0; }
};

struct MethodBenchmarkRow
{
    std::string method;
    double prefillSeconds = 0; // reading, scoring and dropping; the least of the repetitions
    double fullSeconds = 0;    // the same of `full`, measured alternately
    /// The median over the repetitions of one divided by the other, by the clock and by the
    /// processor time of all threads, which the load of other programs touches less.
    double prefillRatio = 0;
    double prefillWorkRatio = 0;
    /// The ratio of the first preparation with the model, where that measures a table that later
    /// ones use; 0 where it does not.
    double firstPrefillRatio = 0;
    double bytesRatio = 0; // of what `full` stores in the same type
    std::vector<DecodeSpeed> decode;
    std::string refusal; // why the method could not be run
};

/// What was set out to be reached: times the prefill of `full`; 0 where nothing was.
double wantedPrefillRatio(const std::string& method);
/// Times the decoding speed of `full` at keep 0.25 and 65,536 tokens.
constexpr double kWantedDecodeRatio = 2.5;

struct MethodBenchmarkResult
{
    std::string model;
    std::string device;
    std::uint64_t tokens = 0; // of the prefill
    std::vector<MethodBenchmarkRow> rows;
};

/// Every figure is a ratio to `full`, which runs before each run of a method, so that what else the
/// machine does falls on both; the median of the repetitions' ratios counts.
///
/// Prefill is measured by preparing a document. Decoding is measured behind random keys and values
/// in lists as long as the method left them, in proportion, because what is in them makes no
/// difference to the time; methods that keep a state of their own for the time of questions are
/// prepared at that length instead. Throws Error (BadInput for options out of range).
MethodBenchmarkResult
benchmarkMethods(const MethodBenchmarkOptions& options,
                 const std::function<void(const std::string& doing)>& onProgress);

} // namespace engine
