#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace tests {

/// For each layer and KV head the kept document tokens, ascending.
using KeptLists = std::vector<std::vector<std::vector<std::uint32_t>>>;

/// What a press of kvpress left of a document.
struct OracleCase
{
    std::string method; // as ours is called
    std::map<std::string, double> settings;
    double keep = 1;
    KeptLists kept;
    KeptLists ties; // tokens that have the score of the last kept one, where not all of them stay
    std::vector<std::vector<double>> mass; // [layer][head] of the kept tokens
    std::vector<float> logits;             // every `logitStep`-th after the question
};

/// One data/NAME.json: a golden model, a document, and what was kept of it.
struct Oracle
{
    std::string model;
    std::filesystem::path modelFile;
    std::vector<std::int32_t> document;
    std::vector<std::int32_t> question;
    std::uint32_t votingRows = 0;
    std::size_t logitStep = 1;
    struct Instructions
    {
        std::vector<std::int32_t> prefix, suffix, first, later;
    } kvzip; // ids that stand for KVzip's template and instructions
    std::vector<OracleCase> cases;

    /// The cases of a method; the test fails when there is none.
    std::vector<OracleCase> of(const std::string& method) const;
};

/// All files of tests/oracle/data; none, with a message, when the golden models are absent.
std::vector<Oracle> readOracles();

/// "0-2 7" -> 0, 1, 2, 7.
std::vector<std::uint32_t> parseRanges(const std::string& text);

} // namespace tests
