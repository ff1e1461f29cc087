// The window and the choice of the ratio by their tables (structural.md 4.2, 4.5, 4.7; checks B1,
// B7, B8), without a model.

#include "engine/methods/beacon_window.h"

#include <array>
#include <doctest/doctest.h>
#include <numeric>

namespace {

using namespace engine;

constexpr std::int32_t kBeaconToken = 1000;

/// One layer with one head; keys are never looked at.
struct Fixture
{
    KvStore store{{1, 1, 32}, kernels::KvType::F32};
    std::unique_ptr<Backend> backend = makeCpuBackend(1, kernels::cpu::Activations::F32);

    /// Reads text as a job would and ends the window when it is full.
    Job read(BeaconWindow& window, std::uint32_t count)
    {
        Job job;
        const std::vector<std::int32_t> text(count, 5);
        window.addRows(job, text, store.nextPosition(), kBeaconToken, 1);
        std::vector<std::uint32_t> rows(job.tokens.size());
        std::iota(rows.begin(), rows.end(), store.appendRows(job.positions, job.roles));
        const std::vector<float> zeros(rows.size() * 32);
        store.appendKv(0, zeros, zeros, rows, *backend);
        if (window.isFull())
            window.compact(store, [](std::span<float>, std::span<const std::int32_t>) {});
        return job;
    }
};

} // namespace

TEST_CASE_FIXTURE(Fixture,
                  "B1: a window of 2048 with ratio 8 has positions 512 to 2815 the third time")
{
    BeaconWindow window({2048, 8, 0});
    read(window, 2048);
    CHECK(store.nextPosition() == 256);
    read(window, 2048);
    CHECK(store.nextPosition() == 512);
    const Job third = read(window, 2048);
    CHECK(third.positions.front() == 512);
    CHECK(third.positions.back() == 2815);
    CHECK(third.positions.size() == 2304);
    CHECK(store.nextPosition() == 768);
}

TEST_CASE_FIXTURE(Fixture, "B1: token by token, beacons come with the token that ends their part")
{
    BeaconWindow window({8, 4, 0});
    read(window, 8);
    read(window, 8);
    read(window, 3);
    const auto step = [&](std::vector<std::int32_t> positions, std::uint32_t logitRow) {
        const Job job = read(window, 1);
        CHECK(job.positions == positions);
        CHECK(job.logitRows == std::vector{logitRow});
        CHECK((job.tokens.back() == kBeaconToken) == (positions.size() == 2));
    };
    step({7, 8}, 0);
    step({9}, 0);
    step({10}, 0);
    step({11}, 0);
    step({12, 13}, 0);
    CHECK(store.list(0, 0).length() == 6);
    step({6}, 0);
}

TEST_CASE_FIXTURE(Fixture,
                  "turned beacons are turned by the places they move, and older ones never")
{
    BeaconWindow window({8, 4, 0});
    Job job;
    std::vector<std::vector<std::int32_t>> turns;
    const auto rotate = [&](std::span<float> keys, std::span<const std::int32_t> deltas) {
        CHECK(keys.size() == deltas.size() * 32);
        turns.emplace_back(deltas.begin(), deltas.end());
    };
    for (int i = 0; i < 3; ++i) {
        Job each;
        window.addRows(each, std::vector<std::int32_t>(8, 5), store.nextPosition(), kBeaconToken,
                       1);
        std::vector<std::uint32_t> rows(each.tokens.size());
        std::iota(rows.begin(), rows.end(), store.appendRows(each.positions, each.roles));
        const std::vector<float> zeros(rows.size() * 32);
        store.appendKv(0, zeros, zeros, rows, *backend);
        window.compact(store, rotate);
    }
    using Turns = std::vector<std::vector<std::int32_t>>;
    CHECK(turns == Turns{{-4, -8}, {-4, -8}, {-4, -8}});
}

TEST_CASE("B7: the reach of each ratio and the ratio chosen for a length")
{
    constexpr std::array<std::uint32_t, 5> kRatios{2, 4, 8, 16, 32};
    const auto reaches = [&](std::uint64_t positions, std::uint32_t window) {
        std::vector<std::uint64_t> all;
        for (const std::uint32_t ratio : kRatios)
            all.push_back(beaconReach(ratio, positions, window));
        return all;
    };
    using Numbers = std::vector<std::uint64_t>;
    CHECK(reaches(4096, 1024) == Numbers{7168, 13312, 25600, 50176, 99328});
    CHECK(reaches(32768, 2048) == Numbers{63488, 124928, 247808, 493568, 985088});
    CHECK(reaches(8192, 1024) == Numbers{15360, 29696, 58368, 115712, 230400});
    CHECK(beaconReach(0, 4096, 1024) == 4096);

    const auto chosen = [&](std::uint64_t positions, std::uint32_t window, std::uint64_t prompt) {
        return adaptiveRatio(kRatios, positions, window, prompt + 1024);
    };
    CHECK(chosen(4096, 1024, 4096) == 2);
    CHECK(chosen(4096, 1024, 8192) == 4);
    CHECK(chosen(4096, 1024, 16384) == 8);
    CHECK(chosen(4096, 1024, 32768) == 16);
    CHECK(chosen(4096, 1024, 65536) == 32);
    CHECK(chosen(4096, 1024, 1'000'000) == 32);
    CHECK(chosen(32768, 2048, 32768) == 2);
    CHECK(chosen(32768, 2048, 65536) == 4);
    CHECK(chosen(32768, 2048, 131072) == 8);
    constexpr std::array<std::uint32_t, 3> kWithRaw{0, 2, 4};
    CHECK(adaptiveRatio(kWithRaw, 4096, 1024, 4096) == 0);
    CHECK(adaptiveRatio(kWithRaw, 4096, 1024, 4097) == 2);
}

TEST_CASE("the ratio for a share to keep")
{
    constexpr std::array<std::uint32_t, 6> kRatios{0, 2, 4, 8, 16, 32};
    CHECK(ratioForKept(kRatios, 1000, 1000) == 0);
    CHECK(ratioForKept(kRatios, 900, 1000) == 2);
    CHECK(ratioForKept(kRatios, 500, 1000) == 2);
    CHECK(ratioForKept(kRatios, 490, 1000) == 4);
    CHECK(ratioForKept(kRatios, 300, 1000) == 4);
    CHECK(ratioForKept(kRatios, 100, 1000) == 16);
    CHECK(ratioForKept(kRatios, 1, 1000) == 32);
    // A quarter of 1001, and half of 1001, in whole tokens.
    CHECK(ratioForKept(kRatios, 250, 1001) == 4);
    CHECK(ratioForKept(kRatios, 501, 1001) == 2);
}

TEST_CASE_FIXTURE(Fixture, "B8: rows and positions are those of the formula of structural.md 4.7")
{
    CHECK(beaconRows({2048, 8, 0}, 128'000) == 17024);
    CHECK(beaconRows({1024, 8, 0}, 16'000) == 2640);
    CHECK(beaconRows({1024, 4, 0}, 32'768) == 8192);
    CHECK(beaconRows({1024, 0, 0}, 5000) == 5000);
    BeaconWindow window({16, 4, 0});
    std::uint64_t peak = 0;
    for (std::uint64_t tokens = 1; tokens <= 100; ++tokens) {
        const Job job = read(window, 1);
        peak = std::max<std::uint64_t>(peak, static_cast<std::uint64_t>(job.positions.back()) + 1);
        CHECK(store.list(0, 0).length() == beaconRows(window.shape(), tokens));
        CHECK(beaconPeak(window.shape(), tokens) == peak);
    }
}
