#include "engine/kv/kv_store.h"

#include <algorithm>
#include <cstdint>
#include <doctest/doctest.h>
#include <numeric>
#include <span>
#include <vector>

namespace {

using namespace engine;
using kernels::KvType;

constexpr KvShape kShape{2, 3, 32};

std::vector<float> randomFloats(std::size_t count, std::uint32_t seed)
{
    std::vector<float> values(count);
    for (float& value : values) {
        seed = seed * 1664525U + 1013904223U;
        value = static_cast<float>(seed >> 8U) / 8388608.0F - 1.0F;
    }
    return values;
}

/// Appends `count` rows with random keys and values to every layer.
void appendRandom(KvStore& store, Backend& backend, std::uint32_t count, std::uint32_t seed)
{
    std::vector<std::int32_t> positions(count);
    std::iota(positions.begin(), positions.end(), store.nextPosition());
    std::vector<std::uint32_t> rows(count);
    std::iota(rows.begin(), rows.end(), store.appendRows(positions, Role::Document));
    const std::size_t floats = std::size_t{count} * kShape.kvHeads * kShape.headDim;
    for (std::uint32_t layer = 0; layer < kShape.layers; ++layer)
        store.appendKv(layer, randomFloats(floats, seed + layer),
                       randomFloats(floats, seed + 7 + layer), rows, backend);
}

std::vector<float> keysOf(const KvStore& store, std::uint32_t layer, std::uint32_t head)
{
    const KvList& list = store.list(layer, head);
    std::vector<float> keys(std::size_t{list.length()} * kShape.headDim);
    list.readKeys(keys, 0, kShape.headDim);
    return keys;
}

struct Fixture
{
    std::unique_ptr<Backend> backend = makeCpuBackend(1, kernels::cpu::Activations::Int8);
    KvStore store{kShape, KvType::F16};
};

} // namespace

TEST_CASE_FIXTURE(Fixture, "T2: truncating to a mark restores lengths, positions and contents")
{
    appendRandom(store, *backend, 100, 1);
    const auto before = keysOf(store, 1, 2);
    const auto mark = store.mark();
    appendRandom(store, *backend, 77, 5);
    CHECK(store.list(1, 2).length() == 177);
    CHECK(store.nextPosition() == 177);
    store.truncate(mark);
    CHECK(store.list(1, 2).length() == 100);
    CHECK(store.rowCount() == 100);
    CHECK(store.nextPosition() == 100);
    CHECK(keysOf(store, 1, 2) == before);
    appendRandom(store, *backend, 10, 9);
    const auto after = keysOf(store, 1, 2);
    CHECK(std::equal(before.begin(), before.end(), after.begin()));
}

TEST_CASE_FIXTURE(Fixture, "a copy is a snapshot that later appends do not change")
{
    appendRandom(store, *backend, 70, 1);
    const KvStore snapshot = store;
    const auto before = keysOf(snapshot, 0, 0);
    appendRandom(store, *backend, 30, 2);
    CHECK(snapshot.list(0, 0).length() == 70);
    CHECK(keysOf(snapshot, 0, 0) == before);
    CHECK(store.list(0, 0).length() == 100);
    // Full pages are shared, not copied.
    CHECK(snapshot.list(0, 0).pages()[0] == store.list(0, 0).pages()[0]);
    CHECK(snapshot.list(0, 0).pages()[1] != store.list(0, 0).pages()[1]);
}

TEST_CASE_FIXTURE(Fixture, "keep of many scattered entries, more than are written at once")
{
    appendRandom(store, *backend, 1500, 7);
    const auto keys = keysOf(store, 1, 0);
    std::vector<float> values(1500 * kShape.headDim);
    store.list(1, 0).readValues(values, 0, kShape.headDim);
    std::vector<std::uint32_t> kept;
    for (std::uint32_t entry = 0; entry < 1500; ++entry) {
        if (entry % 64 < 3 ||
            (entry * 2654435761U >> 13U) % 8 < 5) // of every page, and none in order
            kept.push_back(entry);
    }
    REQUIRE(kept.size() > 900);
    store.list(1, 0).keep(kept, kShape.headDim);
    REQUIRE(store.list(1, 0).length() == kept.size());
    const auto keysNow = keysOf(store, 1, 0);
    std::vector<float> valuesNow(kept.size() * kShape.headDim);
    store.list(1, 0).readValues(valuesNow, 0, kShape.headDim);
    const auto rowOf = [](const std::vector<float>& rows, std::size_t index) {
        return std::span(rows).subspan(index * kShape.headDim, kShape.headDim);
    };
    for (std::size_t i = 0; i < kept.size(); ++i) {
        REQUIRE(std::ranges::equal(rowOf(keysNow, i), rowOf(keys, kept[i])));
        REQUIRE(std::ranges::equal(rowOf(valuesNow, i), rowOf(values, kept[i])));
        REQUIRE(store.list(1, 0).row(static_cast<std::uint32_t>(i)) == kept[i]);
    }
    store.list(1, 0).keep({}, kShape.headDim);
    CHECK(store.list(1, 0).length() == 0);
    CHECK(store.list(1, 0).pages().empty());
}

TEST_CASE_FIXTURE(Fixture, "keep moves exactly the given entries and remembers their rows")
{
    appendRandom(store, *backend, 200, 1);
    const auto all = keysOf(store, 0, 1);
    std::vector<std::uint32_t> kept{0, 1, 2, 63, 64, 130, 199};
    store.list(0, 1).keep(kept, kShape.headDim);
    const auto keys = keysOf(store, 0, 1);
    REQUIRE(keys.size() == kept.size() * kShape.headDim);
    for (std::size_t i = 0; i < kept.size(); ++i) {
        CHECK(store.list(0, 1).row(static_cast<std::uint32_t>(i)) == kept[i]);
        for (std::size_t c = 0; c < kShape.headDim; ++c)
            CHECK(keys[i * kShape.headDim + c] == all[kept[i] * kShape.headDim + c]);
    }
    CHECK(store.list(0, 0).length() == 200);
    SUBCASE("then again, and rows appended behind keep their order")
    {
        store.list(0, 1).keep(std::vector<std::uint32_t>{1, 4}, kShape.headDim);
        appendRandom(store, *backend, 2, 3);
        CHECK(store.list(0, 1).length() == 4);
        CHECK(store.list(0, 1).row(0) == 1);
        CHECK(store.list(0, 1).row(1) == 64);
        CHECK(store.list(0, 1).row(2) == 200);
        CHECK(store.list(0, 1).row(3) == 201);
    }
    SUBCASE("an emptied list is legal and grows again")
    {
        store.list(0, 1).keep({}, kShape.headDim);
        CHECK(store.list(0, 1).length() == 0);
        appendRandom(store, *backend, 1, 3);
        CHECK(store.list(0, 1).row(0) == 200);
    }
}

TEST_CASE_FIXTURE(Fixture, "T4: bytes are those of the pages of each type")
{
    for (const KvType type : {KvType::F16, KvType::Int8, KvType::Kivi4, KvType::Kivi2}) {
        KvStore other(kShape, KvType::F16);
        appendRandom(other, *backend, 640, 1);
        other.pack(type, *backend);
        const std::size_t pages = 10;
        const std::size_t ofPage = kernels::keyPageBytes(type, kShape.headDim) +
                                   kernels::valuePageBytes(type, kShape.headDim) + sizeof(KvPage) +
                                   4 * sizeof(void*); // its counts and the pointer to it
        const std::size_t ofList = sizeof(KvList) + pages * ofPage;
        CAPTURE(static_cast<int>(type));
        CHECK(other.bytes() == kShape.layers * kShape.kvHeads * ofList + 640 * 5); // row table
    }
}

TEST_CASE_FIXTURE(Fixture, "packing leaves the last, partly filled page writable")
{
    appendRandom(store, *backend, 100, 1);
    store.pack(KvType::Kivi4, *backend);
    CHECK(store.list(0, 0).pages()[0]->type == KvType::Kivi4);
    CHECK(store.list(0, 0).pages()[1]->type == KvType::F16);
    appendRandom(store, *backend, 100, 2);
    CHECK(store.list(0, 0).length() == 200);
}

TEST_CASE_FIXTURE(Fixture, "editKeys changes only the range it is given")
{
    appendRandom(store, *backend, 130, 1);
    const auto before = keysOf(store, 1, 1);
    store.list(1, 1).editKeys({60, 70}, kShape.headDim, [](std::span<float> keys) {
        for (float& key : keys)
            key = 0.5F;
    });
    const auto after = keysOf(store, 1, 1);
    for (std::size_t i = 0; i < after.size(); ++i) {
        const std::size_t entry = i / kShape.headDim;
        CHECK(after[i] == (entry >= 60 && entry < 70 ? 0.5F : before[i]));
    }
}

TEST_CASE_FIXTURE(Fixture, "the views that a list keeps are those made anew, whatever changes it")
{
    const auto check = [](KvList& list) {
        std::vector<kernels::KvPageView> anew;
        list.views(anew);
        const std::span<const kernels::KvPageView> kept = list.views();
        REQUIRE(kept.size() == anew.size());
        for (std::size_t page = 0; page < anew.size(); ++page) {
            CAPTURE(page);
            CHECK(kept[page].keys == anew[page].keys);
            CHECK(kept[page].values == anew[page].values);
            CHECK(kept[page].type == anew[page].type);
            CHECK(kept[page].rows == anew[page].rows);
        }
    };
    KvList& list = store.list(1, 0);
    const std::uint32_t dim = store.shape().headDim;
    const auto each = [&](const auto& change) {
        check(list);
        const KvList copy = list; // its pages are shared, so a change makes new ones
        change();
        check(list);
        KvList other = copy;
        check(other);
    };
    appendRandom(store, *backend, 150, 1);
    each([&] { appendRandom(store, *backend, 1, 2); });
    each([&] { appendRandom(store, *backend, 200, 3); });
    each([&] { list.truncate(300); });
    each([&] { list.truncate(256); });
    each([&] { list.truncate(250); });
    each([&] { list.editKeys({60, 140}, dim, [](std::span<float> keys) { keys[0] += 1; }); });
    each([&] { list.blend(10, 100, 20, dim); });
    each([&] {
        std::vector<std::uint32_t> kept(list.length() / 2);
        for (std::uint32_t i = 0; i < kept.size(); ++i)
            kept[i] = i < 70 ? i : 2 * i;
        list.keep(kept, dim);
    });
    each([&] { list.releaseKeys(0, 1); });
    const auto page = list.pages().front();
    each([&] { list.truncate(64); });
    each([&] { list.adoptPage(page, std::vector<std::uint32_t>{400, 401}); });
    each([&] { list.pack(KvType::Kivi4, dim); });
}
