#pragma once

#include "engine/kv/kv_store.h"
#include "engine/run/job.h"

#include <cstdint>
#include <functional>
#include <span>

namespace engine {

// The window of Activation Beacon (Zhang et al. 2024, arXiv 2401.03462; structural.md 4.2): text is
// read with a beacon behind every `ratio` tokens, and when a window of text is full, only its
// beacons stay. Positions are indices in the lists, so beacons are turned once, when their window
// ends, and never again.

/// How text is cut. A ratio of 0 puts in no beacons and keeps every row.
struct BeaconShape
{
    std::uint32_t window = 0; // text tokens, a multiple of the ratio
    std::uint32_t ratio = 0;  // text tokens per beacon
    std::uint32_t stays = 0;  // first rows that always stay: prefix and sinks
};

/// Where in a window the text is.
class BeaconWindow
{
public:
    /// `inWindow` text tokens of the current window are read already.
    explicit BeaconWindow(const BeaconShape& shape, std::uint32_t inWindow = 0);

    const BeaconShape& shape() const { return m_shape; }
    std::uint32_t inWindow() const { return m_inWindow; }
    /// Text tokens that fit before the window ends.
    std::uint32_t room() const { return m_shape.window - m_inWindow; }
    bool isFull() const { return m_shape.ratio > 0 && room() == 0; }

    /// Puts at most room() text tokens with their beacons behind the rows of a job, at the
    /// positions from `first` on. `beaconToken` is the size of the vocabulary.
    void addRows(Job& job, std::span<const std::int32_t> text, std::int32_t first,
                 std::int32_t beaconToken, std::uint8_t weightSet);

    /// Drops the text of a full window and turns its beacons to their places; the next window
    /// begins. `rotate` as in DocumentPlan.
    void
    compact(KvStore& store,
            const std::function<void(std::span<float>, std::span<const std::int32_t>)>& rotate);

private:
    BeaconShape m_shape;
    std::uint32_t m_inWindow = 0;
};

/// Rows in a list after `tokens` text tokens (structural.md 4.7), without those in front that stay:
/// beacons of finished windows, and text with beacons of the last one.
std::uint64_t beaconRows(const BeaconShape& shape, std::uint64_t tokens);
/// The most rows that a list has meanwhile, with those in front, and so the positions in use.
std::uint64_t beaconPeak(const BeaconShape& shape, std::uint64_t tokens);

/// Text tokens that a model of `positions` positions reaches with a ratio (structural.md 4.5).
std::uint64_t beaconReach(std::uint32_t ratio, std::uint64_t positions, std::uint32_t window);
/// The ratio with the smallest reach of at least `needed` tokens, else the largest ("adapt").
/// `ratios` ascend and are not empty.
std::uint32_t adaptiveRatio(std::span<const std::uint32_t> ratios, std::uint64_t positions,
                            std::uint32_t window, std::uint64_t needed);
/// The smallest ratio that keeps at most `kept` of `tokens`, a share rounded to whole tokens, else
/// the largest; 0 for all of them.
std::uint32_t ratioForKept(std::span<const std::uint32_t> ratios, std::uint64_t kept,
                           std::uint64_t tokens);

} // namespace engine
