#include "engine/engine.h"
#include "engine/kv/entropy_coder.h"
#include "engine/kv/page_coder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <doctest/doctest.h>
#include <random>

namespace {

using namespace engine;
using kernels::KvType;

constexpr const char* kName = "The test stream";

std::vector<std::byte> encoded(std::span<const std::byte> bytes)
{
    ByteWriter writer;
    encodeEntropy(bytes, writer);
    return writer.take();
}

std::vector<std::byte> decoded(std::span<const std::byte> stream, std::size_t count)
{
    ByteReader reader(stream, kName);
    auto bytes = decodeEntropy(reader, count);
    reader.expectEnd();
    return bytes;
}

/// Bytes around 128 with a standard deviation of `spread`.
std::vector<std::byte> bellBytes(std::size_t count, double spread, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<double> bell(128.0, spread);
    std::vector<std::byte> bytes(count);
    for (std::byte& byte : bytes)
        byte = static_cast<std::byte>(std::clamp(std::lround(bell(random)), 0L, 255L));
    return bytes;
}

double shannonBytes(std::span<const std::byte> bytes)
{
    std::array<double, 256> counts{};
    for (const std::byte byte : bytes)
        ++counts[std::to_integer<std::size_t>(byte)];
    double bits = 0;
    for (const double count : counts) {
        if (count > 0)
            bits -= count * std::log2(count / static_cast<double>(bytes.size()));
    }
    return bits / 8;
}

std::vector<std::shared_ptr<const KvPage>> randomPages(std::span<const KvType> types,
                                                       std::size_t headDim, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> bell(0.0F, 1.0F);
    std::vector<std::shared_ptr<const KvPage>> pages;
    for (const KvType type : types) {
        std::vector<float> rows(kernels::kPageRows * headDim);
        std::ranges::generate(rows, [&] { return bell(random); });
        auto page = std::make_shared<KvPage>();
        page->type = type;
        page->keys.resize(kernels::keyPageBytes(type, headDim));
        page->values.resize(kernels::valuePageBytes(type, headDim));
        kernels::cpu::encodeKeys(type, page->keys.data(), rows, headDim, 0);
        kernels::cpu::encodeValues(type, page->values.data(), rows, headDim, 0);
        pages.push_back(std::move(page));
    }
    return pages;
}

std::vector<PageForm> formsOf(std::span<const KvType> types)
{
    std::vector<PageForm> forms;
    for (const KvType type : types)
        forms.push_back({type, true});
    return forms;
}

TEST_CASE("a coded stream gives back its bytes, whatever they are")
{
    for (const std::size_t count : {0U, 1U, 3U, 4U, 5U, 255U, 4096U, 100003U}) {
        CAPTURE(count);
        const std::vector<std::byte> constant(count, std::byte{7});
        CHECK(decoded(encoded(constant), count) == constant);
        for (const double spread : {0.4, 3.0, 40.0, 4000.0}) {
            CAPTURE(spread);
            const auto bytes = bellBytes(count, spread, 11);
            CHECK(decoded(encoded(bytes), count) == bytes);
        }
    }
}

TEST_CASE("rare values beside a frequent one survive: every share is at least one slot")
{
    std::vector<std::byte> bytes(1U << 20U, std::byte{0});
    for (std::size_t symbol = 0; symbol < 256; ++symbol)
        bytes[symbol * 4000] = static_cast<std::byte>(symbol);
    const auto stream = encoded(bytes);
    CHECK(decoded(stream, bytes.size()) == bytes);
    CHECK(stream.size() < bytes.size() / 50);
}

TEST_CASE("the length comes near the entropy of the bytes")
{
    const auto bytes = bellBytes(200000, 3.0, 5);
    const double size = static_cast<double>(encoded(bytes).size());
    MESSAGE("coded ", size, " bytes, entropy ", shannonBytes(bytes), " of ", bytes.size());
    CHECK(size >= shannonBytes(bytes));
    CHECK(size <= shannonBytes(bytes) * 1.01 + 600);
}

TEST_CASE("bytes that cannot be shortened cost one byte more")
{
    std::mt19937 random(3);
    std::vector<std::byte> bytes(5000);
    std::ranges::generate(bytes, [&] { return static_cast<std::byte>(random()); });
    CHECK(encoded(bytes).size() == bytes.size() + 1);
}

TEST_CASE("a damaged stream is refused or gives other bytes, and never more than were asked for")
{
    const auto bytes = bellBytes(3000, 4.0, 9);
    const auto stream = encoded(bytes);
    std::mt19937 random(17);
    int refused = 0;
    for (int round = 0; round < 3000; ++round) {
        auto mutated = stream;
        for (unsigned i = 0; i <= random() % 3; ++i)
            mutated[random() % mutated.size()] = static_cast<std::byte>(random());
        if (round % 3 == 0)
            mutated.resize(random() % mutated.size());
        try {
            const auto read = decoded(mutated, bytes.size());
            CHECK(read.size() == bytes.size());
        } catch (const Error& error) {
            ++refused;
            CHECK(error.code() == ErrorCode::Damaged);
        }
    }
    CHECK(refused > 2500);
}

TEST_CASE("pages of every type come back bit for bit, and quantised ones get smaller")
{
    constexpr std::size_t kHeadDim = 64;
    for (const KvType type :
         {KvType::F32, KvType::F16, KvType::Int8, KvType::Kivi4, KvType::Kivi2}) {
        const std::vector<KvType> types(16, type);
        const auto pages = randomPages(types, kHeadDim, 21);
        ByteWriter writer;
        writeCodedPages(pages, kHeadDim, writer);
        const auto bytes = writer.take();
        ByteReader reader(bytes, kName);
        const auto read = readCodedPages(formsOf(types), kHeadDim, reader);
        reader.expectEnd();
        std::size_t plain = 0;
        REQUIRE(read.size() == pages.size());
        for (std::size_t page = 0; page < pages.size(); ++page) {
            CHECK(read[page]->type == type);
            CHECK(read[page]->keys == pages[page]->keys);
            CHECK(read[page]->values == pages[page]->values);
            plain += pages[page]->keys.size() + pages[page]->values.size();
        }
        MESSAGE(kvTypeName(type), ": ", bytes.size(), " of ", plain, " bytes");
        CHECK(bytes.size() < plain);
    }
}

TEST_CASE("pages of several types in one piece come back in their order")
{
    const std::vector<KvType> types{KvType::Kivi4, KvType::Kivi4, KvType::F16, KvType::Kivi2,
                                    KvType::F16};
    const auto pages = randomPages(types, 32, 2);
    ByteWriter writer;
    writeCodedPages(pages, 32, writer);
    const auto bytes = writer.take();
    ByteReader reader(bytes, kName);
    const auto read = readCodedPages(formsOf(types), 32, reader);
    for (std::size_t page = 0; page < pages.size(); ++page)
        CHECK(read[page]->values == pages[page]->values);
}

TEST_CASE("pages without keys come back without them")
{
    const std::vector<KvType> types{KvType::Kivi4, KvType::Kivi4};
    auto pages = randomPages(types, 32, 4);
    auto without = std::make_shared<KvPage>(*pages[1]);
    without->keys.clear();
    pages[1] = without;
    ByteWriter writer;
    writeCodedPages(pages, 32, writer);
    const auto bytes = writer.take();
    ByteReader reader(bytes, kName);
    const auto read = readCodedPages(
        std::vector<PageForm>{{KvType::Kivi4, true}, {KvType::Kivi4, false}}, 32, reader);
    reader.expectEnd();
    CHECK(read[0]->keys == pages[0]->keys);
    CHECK(read[1]->keys.empty());
    CHECK(read[1]->values == pages[1]->values);
}

} // namespace
