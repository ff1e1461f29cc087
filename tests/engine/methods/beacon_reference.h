#pragma once

#include "tests/engine/methods/beacon_checkpoint.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace tests {

/// Activation Beacon in plain loops, straight from structural.md 4.2: keys are held before RoPE,
/// and every position is counted anew at every step. Weights are those of the checkpoint in the
/// layout of Hugging Face.
class BeaconReference
{
public:
    /// `ratio` 0: no beacons, nothing is dropped.
    /// Positions are multiplied by `stretch` before they turn anything.
    BeaconReference(const BeaconCheckpoint& checkpoint, std::uint32_t ratio, double stretch = 1);

    /// Rows that stay for good and are read without beacons (the reference's skip_first).
    void readPrefix(std::span<const std::int32_t> tokens);
    /// Text; returns the logits after each of the tokens.
    std::vector<std::vector<float>> read(std::span<const std::int32_t> tokens);
    /// Tokens behind everything, without beacons and for good (the reference's skip_last).
    std::vector<std::vector<float>> readRaw(std::span<const std::int32_t> tokens);

    struct Row
    {
        bool beacon = false;
        std::uint32_t number = 0; // of the token, or of the beacon, counted in the whole text
    };
    /// What is held now, in order.
    std::vector<Row> memory() const;
    /// Of one layer and KV head, turned to the positions that the rows have now: (rows, head size).
    std::vector<float> keys(std::uint32_t layer, std::uint32_t head) const;

private:
    struct Entry
    {
        Row row;
        std::array<std::vector<float>, BeaconCheckpoint::kLayers> keys, values; // before RoPE
    };

    /// Runs rows behind everything that is held and returns the logits of each.
    std::vector<std::vector<float>> forward(std::vector<Entry>& rows,
                                            std::vector<std::vector<float>> hidden);
    void runLayer(std::uint32_t layer, std::vector<Entry>& rows,
                  std::vector<std::vector<float>>& hidden);
    std::vector<float> attend(std::uint32_t layer, const std::vector<const Entry*>& all,
                              std::size_t index, const std::vector<float>& query) const;
    std::vector<float> project(std::uint32_t layer, const Row& row, const char* letter,
                               const std::vector<float>& in) const;
    std::vector<float> embeddingOf(const Row& row, std::int32_t token) const;
    std::vector<const Entry*> held() const;
    void step(std::span<const std::int32_t> text, std::vector<std::vector<float>>& logits);

    const BeaconCheckpoint& m_checkpoint;
    std::uint32_t m_ratio;
    double m_stretch;
    std::vector<Entry> m_sink, m_beacon, m_raw;
    bool m_sinksTaken = false;
    std::uint32_t m_prefix = 0;
    std::uint32_t m_start = 0, m_end = 0, m_rem = 0, m_beacons = 0;
};

} // namespace tests
