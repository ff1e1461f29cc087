#include "engine/methods/beacon_window.h"

#include <algorithm>
#include <cassert>

namespace engine {
namespace {

/// Entries that stay when a window ends. All lists hold the same rows.
std::vector<std::uint32_t> keptEntries(const KvStore& store, std::uint32_t stays)
{
    const KvList& list = store.list(0, 0);
    std::vector<std::uint32_t> kept;
    for (std::uint32_t entry = 0; entry < list.length(); ++entry) {
        if (entry < stays || store.role(list.row(entry)) == Role::Beacon)
            kept.push_back(entry);
    }
    return kept;
}

} // namespace

BeaconWindow::BeaconWindow(const BeaconShape& shape, std::uint32_t inWindow)
    : m_shape(shape)
    , m_inWindow(inWindow)
{
    assert(shape.ratio == 0 || shape.window % shape.ratio == 0);
}

void BeaconWindow::addRows(Job& job, std::span<const std::int32_t> text, std::int32_t first,
                           std::int32_t beaconToken, std::uint8_t weightSet)
{
    assert(m_shape.ratio == 0 || text.size() <= room());
    const auto add = [&](std::int32_t token, std::uint8_t set, Role role) {
        job.tokens.push_back(token);
        job.positions.push_back(first++);
        if (m_shape.ratio > 0) {
            job.weightSets.push_back(set);
            job.roles.push_back(role);
        }
    };
    for (const std::int32_t token : text) {
        job.logitRows = {static_cast<std::uint32_t>(job.tokens.size())};
        add(token, 0, job.role);
        if (m_shape.ratio > 0 && ++m_inWindow % m_shape.ratio == 0)
            add(beaconToken, weightSet, Role::Beacon);
    }
}

void BeaconWindow::compact(
    KvStore& store,
    const std::function<void(std::span<float>, std::span<const std::int32_t>)>& rotate)
{
    assert(isFull());
    const KvShape shape = store.shape();
    const std::vector<std::uint32_t> kept = keptEntries(store, m_shape.stays);
    std::vector<std::int32_t> deltas;
    std::uint32_t firstMoved = 0;
    for (std::uint32_t place = 0; place < kept.size(); ++place) {
        const std::uint32_t row = store.list(0, 0).row(kept[place]);
        const std::int32_t delta = static_cast<std::int32_t>(place) - store.position(row);
        if (deltas.empty() && delta == 0)
            ++firstMoved; // beacons of earlier windows are in their places for good
        else
            deltas.push_back(delta);
        store.setPosition(row, static_cast<std::int32_t>(place));
    }
    const auto length = static_cast<std::uint32_t>(kept.size());
    for (std::uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
            KvList& list = store.list(layer, head);
            list.keep(kept, shape.headDim);
            if (!deltas.empty())
                list.editKeys({firstMoved, length}, shape.headDim,
                              [&](std::span<float> keys) { rotate(keys, deltas); });
        }
    }
    store.setNextPosition(static_cast<std::int32_t>(length));
    m_inWindow = 0;
}

std::uint64_t beaconRows(const BeaconShape& shape, std::uint64_t tokens)
{
    if (shape.ratio == 0)
        return tokens;
    const std::uint64_t rest = tokens % shape.window;
    const std::uint64_t full = tokens - rest;
    return full / shape.ratio + rest + rest / shape.ratio;
}

std::uint64_t beaconPeak(const BeaconShape& shape, std::uint64_t tokens)
{
    std::uint64_t rows = beaconRows(shape, tokens);
    if (shape.ratio > 0 && tokens >= shape.window) {
        const std::uint64_t windows = tokens / shape.window;
        const std::uint64_t beacons = shape.window / shape.ratio;
        rows = std::max(rows, (windows - 1) * beacons + shape.window + beacons);
    }
    return rows + shape.stays;
}

std::uint64_t beaconReach(std::uint32_t ratio, std::uint64_t positions, std::uint32_t window)
{
    if (ratio == 0 || positions <= window)
        return positions;
    return (positions - window) * ratio + window;
}

std::uint32_t adaptiveRatio(std::span<const std::uint32_t> ratios, std::uint64_t positions,
                            std::uint32_t window, std::uint64_t needed)
{
    const auto enough = std::ranges::find_if(ratios, [&](std::uint32_t ratio) {
        return beaconReach(ratio, positions, window) >= needed;
    });
    return enough == ratios.end() ? ratios.back() : *enough;
}

std::uint32_t ratioForKept(std::span<const std::uint32_t> ratios, std::uint64_t kept,
                           std::uint64_t tokens)
{
    if (kept >= tokens)
        return 0;
    // The share may have been larger by half a token.
    const auto enough = std::ranges::find_if(ratios, [&](std::uint32_t ratio) {
        return ratio > 0 && (2 * kept + 1) * ratio >= 2 * tokens;
    });
    return enough == ratios.end() ? ratios.back() : *enough;
}

} // namespace engine
