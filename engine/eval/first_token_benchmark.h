#pragma once

#include "engine/engine.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace engine {

struct ModelConfig;

struct FirstTokenOptions
{
    std::filesystem::path modelPath;     // empty: random weights of smallShape()
    std::filesystem::path tokenizerFrom; // for random weights: a model file with a tokenizer
    LoadOptions load;
    std::vector<std::uint32_t> lengths{4096, 8192, 16384}; // of documents, in tokens
    double select = 1024;                                  // GemFilter's settings
    double layer = -1;
    std::uint32_t repeats = 1;
};

/// Seconds from the text of a document and a question to the first token of the answer.
struct FirstToken
{
    double reading = 0; // of the document, once
    double asking = 0;  // the question, behind a document that is prepared
    double total() const { return reading + asking; }
};

struct FirstTokenRow
{
    std::uint64_t tokens = 0;   // before the document and of it
    std::uint64_t question = 0; // tokens of the question
    FirstToken full;
    FirstToken filter;
    double predicted = 0; // ratio of the totals by filteredShare() for the model's layers
    /// The same for one layer less: of the last one only keys and values are made for rows whose
    /// logits nobody wants.
    double predictedAsRun = 0;
    double measured() const { return full.total() > 0 ? filter.total() / full.total() : 0; }
};

struct FirstTokenResult
{
    std::string model;
    std::string device;
    std::uint32_t layers = 0;
    std::uint32_t layer = 0; // that chooses
    std::uint32_t select = 0;
    std::vector<FirstTokenRow> rows;
};

/// The work of GemFilter over that of a dense reading, by selection.md 3.1: with
/// X(n) = 2 H d n^2 + 2 P n for one layer of P weights over n tokens,
///   (r X(n) + L X(k)) / (L X(n)),
/// for a filter layer r, L = `layers` and k selected tokens of n.
double filteredShare(const ModelConfig& model, std::uint32_t layers, std::uint32_t layer,
                     std::uint64_t tokens, std::uint64_t selected);

/// Time to the first token of GemFilter in several turns beside `full`, which runs before each run
/// of it; the least time of the repetitions counts. Throws Error (BadInput for options out of
/// range).
FirstTokenResult
benchmarkFirstToken(const FirstTokenOptions& options,
                    const std::function<void(const std::string& doing)>& onProgress);

} // namespace engine
