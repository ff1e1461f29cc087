// LM-Infinite, StreamingLLM and window attention: which entries each row sees, and how far away
// (selection.md 3.5 to 3.7 and the golden vectors 6.11).

#include "engine/backend/backend.h"
#include "engine/methods/method.h"

#include <doctest/doctest.h>
#include <map>
#include <set>
#include <vector>

namespace {

using namespace engine;

constexpr std::uint32_t kTokens = 24;
constexpr KvShape kShape{.layers = 1, .kvHeads = 2, .headDim = 32};

/// A method that reads kTokens in blocks of 8 into a store of zeros.
class Reading
{
public:
    Reading(const std::string& id, std::uint64_t budget, std::map<std::string, double> settings)
        : m_backend(makeBackend(Device::Cpu, 1, kernels::cpu::Activations::F32))
    {
        m_plan.document.resize(kTokens);
        m_plan.layers = kShape.layers;
        m_plan.kvHeads = kShape.kvHeads;
        m_plan.headDim = kShape.headDim;
        m_plan.contextLength = 4096;
        m_plan.blockRows = 8;
        m_plan.budget = budget;
        m_plan.settings = completeSettings(findMethod(id).info, settings);
        m_plan.rotate = [this](std::span<float>, std::span<const std::int32_t> deltas) {
            turned.emplace_back(deltas.begin(), deltas.end());
        };
        m_method = findMethod(id).make(m_plan);
    }

    void run()
    {
        while (const auto job = m_method->nextJob(store)) {
            const std::uint32_t first = store.appendRows(job->positions, job->role);
            std::vector<std::uint32_t> rows;
            for (std::uint32_t r = 0; r < job->positions.size(); ++r)
                rows.push_back(first + r);
            const std::vector<float> zeros(rows.size() * kShape.kvHeads * kShape.headDim);
            store.appendKv(0, zeros, zeros, rows, *m_backend);
            std::vector<Segment> segments;
            m_method->segments({0, 1, &*job, rows, job->positions, &store}, segments);
            for (std::uint32_t r = 0; r < rows.size(); ++r)
                note(segments, r, rows[r], job->positions[r]);
            m_method->onJobEnd(*job, store);
        }
    }

    /// For each row the entries that it sees, as token -> distance.
    std::map<std::uint32_t, std::map<std::uint32_t, std::int32_t>> seen;
    KvStore store{kShape, KvType::F32};
    std::vector<std::vector<std::int32_t>> turned; // what rotate() was asked for

private:
    void note(const std::vector<Segment>& segments, std::uint32_t r, std::uint32_t row,
              std::int32_t position)
    {
        auto& distances = seen[row];
        if (segments.empty()) {
            for (std::uint32_t token = 0; token <= row; ++token)
                distances[token] = position - static_cast<std::int32_t>(token);
        }
        for (const Segment& segment : segments) {
            const auto& visible = segment.visible[r * kShape.kvHeads];
            CHECK(segment.visible[r * kShape.kvHeads + 1].end == visible.end);
            const std::int32_t shift = segment.queryShift.empty() ? 0 : segment.queryShift[r];
            for (std::uint32_t entry = visible.begin; entry < visible.end; ++entry) {
                const std::uint32_t token = store.list(0, 0).row(entry);
                CHECK(distances.count(token) == 0); // each entry once
                distances[token] = position + shift - store.position(token);
            }
        }
    }

    std::unique_ptr<Backend> m_backend;
    DocumentPlan m_plan;
    std::unique_ptr<Method> m_method;
};

std::set<std::uint32_t> keptRows(const KvStore& store)
{
    std::set<std::uint32_t> rows;
    for (std::uint32_t entry = 0; entry < store.list(0, 0).length(); ++entry)
        rows.insert(store.list(0, 0).row(entry));
    return rows;
}

} // namespace

TEST_CASE("golden 6.11: LM-Infinite with two first tokens and a window of four")
{
    Reading reading("lm-infinite", 6, {{"first", 2}});
    reading.run();
    CHECK(reading.seen.at(9) ==
          std::map<std::uint32_t, std::int32_t>{{0, 4}, {1, 4}, {6, 3}, {7, 2}, {8, 1}, {9, 0}});
    for (std::uint32_t row = 0; row < kTokens; ++row) {
        CAPTURE(row);
        std::map<std::uint32_t, std::int32_t> expected;
        for (std::uint32_t token = 0; token <= row; ++token) {
            if (row - token < 4)
                expected[token] = static_cast<std::int32_t>(row - token);
            else if (token < 2)
                expected[token] = 4;
        }
        CHECK(reading.seen.at(row) == expected);
    }
    CHECK(keptRows(reading.store) == std::set<std::uint32_t>{0, 1, 20, 21, 22, 23});
    // The question stands four tokens behind the first tokens and one behind the last.
    CHECK(reading.store.nextPosition() == 4);
    REQUIRE(reading.turned.size() == 2 * kShape.kvHeads);
    CHECK(reading.turned.front() == std::vector<std::int32_t>{-1});
    CHECK(reading.turned.back() == std::vector<std::int32_t>(4, -20)); // 20..23 to 0..3
}

TEST_CASE("golden 6.11: StreamingLLM with four first tokens and a window of eight")
{
    Reading reading("streaming-llm", 12, {{"sinks", 4}});
    reading.run();
    // As if counted inside the cache: the first tokens follow on the window.
    std::map<std::uint32_t, std::int32_t> expected{{0, 11}, {1, 10}, {2, 9}, {3, 8}};
    for (std::uint32_t token = 16; token < kTokens; ++token)
        expected[token] = static_cast<std::int32_t>(kTokens - 1 - token);
    CHECK(reading.seen.at(kTokens - 1) == expected);
    CHECK(keptRows(reading.store) ==
          std::set<std::uint32_t>{0, 1, 2, 3, 16, 17, 18, 19, 20, 21, 22, 23});
    CHECK(reading.store.nextPosition() == 12);
    REQUIRE(reading.turned.size() == kShape.kvHeads);
    CHECK(reading.turned.front() == std::vector<std::int32_t>(8, -12)); // 16..23 to 4..11
}

TEST_CASE("window: the last tokens and nothing else")
{
    Reading reading("window", 4, {});
    reading.run();
    for (std::uint32_t row = 0; row < kTokens; ++row) {
        CAPTURE(row);
        std::map<std::uint32_t, std::int32_t> expected;
        for (std::uint32_t token = 0; token <= row; ++token) {
            if (row - token < 4)
                expected[token] = static_cast<std::int32_t>(row - token);
        }
        CHECK(reading.seen.at(row) == expected);
    }
    CHECK(keptRows(reading.store) == std::set<std::uint32_t>{20, 21, 22, 23});
    CHECK(reading.store.nextPosition() == kTokens);
    CHECK(reading.turned.empty());
}

TEST_CASE("a window as long as the document is plain attention")
{
    for (const char* id : {"lm-infinite", "window"}) {
        Reading reading(id, kTokens, {});
        reading.run();
        CAPTURE(id);
        for (std::uint32_t row = 0; row < kTokens; ++row)
            CHECK(reading.seen.at(row).size() == row + 1);
        CHECK(keptRows(reading.store).size() == kTokens);
        CHECK(reading.store.nextPosition() == kTokens);
        CHECK(reading.turned.empty());
    }
}
