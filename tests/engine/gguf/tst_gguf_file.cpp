#include "engine/gguf/gguf_file.h"
#include "engine/gguf/gguf_writer.h"
#include "tests/engine/gguf/raw_gguf.h"

#include <array>
#include <cstring>
#include <doctest/doctest.h>

namespace tests {
namespace {

engine::GgufWriter sampleWriter()
{
    engine::GgufWriter writer;
    writer.setString("general.architecture", "llama");
    writer.setUint32("llama.block_count", 3);
    writer.setFloat32("llama.rope.freq_base", 10000.0F);
    writer.setBool("tokenizer.ggml.add_bos_token", true);
    writer.setStrings("tokens", std::array<std::string, 2>{"a", ""});
    writer.setFloats("scores", std::array{0.5F, -1.0F});
    writer.setInts("types", std::array{1, -2});
    const std::array<float, 6> first = {1, 2, 3, 4, 5, 6};
    const std::array<float, 1> second = {7};
    writer.addTensor("first", {3, 2}, 0, std::as_bytes(std::span(first)));
    writer.addTensor("second", {1}, 0, std::as_bytes(std::span(second)));
    return writer;
}

template <typename Call>
engine::ErrorCode codeOf(Call call)
{
    try {
        call();
    } catch (const engine::Error& error) {
        return error.code();
    }
    return engine::ErrorCode::Internal;
}

} // namespace

TEST_CASE("what the writer writes, the reader reads")
{
    const std::vector<std::byte> bytes = sampleWriter().bytes();
    const auto file = engine::GgufFile::parse(bytes, "sample.gguf");
    CHECK(file->name() == "sample.gguf");
    CHECK(file->metadata().size() == 7);
    CHECK(file->stringOf("general.architecture") == "llama");
    CHECK(file->uintOf("llama.block_count") == 3);
    CHECK(file->findNumber("llama.block_count") == 3.0);
    CHECK(file->findNumber("llama.rope.freq_base") == 10000.0);
    CHECK(file->findBool("tokenizer.ggml.add_bos_token") == true);
    CHECK(std::get<std::vector<std::string>>(file->findArray("tokens")->values) ==
          std::vector<std::string>{"a", ""});
    CHECK(std::get<std::vector<double>>(file->findArray("scores")->values) ==
          std::vector<double>{0.5, -1.0});
    CHECK(std::get<std::vector<std::int64_t>>(file->findArray("types")->values) ==
          std::vector<std::int64_t>{1, -2});
    CHECK(file->findArray("types")->elementType == 5);

    REQUIRE(file->tensors().size() == 2);
    const engine::GgufTensor* const second = file->findTensor("second");
    REQUIRE(second != nullptr);
    CHECK(second->offset % 32 == 0);
    CHECK(second->bytes == 4);
    float value = 0;
    std::memcpy(&value, file->data(*second).data(), sizeof(value));
    CHECK(value == 7.0F);
    CHECK(file->findTensor("first")->shape == std::vector<std::uint64_t>{3, 2});
    CHECK(file->findTensor("third") == nullptr);
}

TEST_CASE("a key set twice is written once, with the last value")
{
    engine::GgufWriter writer;
    writer.setUint32("k", 1);
    writer.setUint32("k", 2);
    const std::vector<std::byte> bytes = writer.bytes();
    CHECK(engine::GgufFile::parse(bytes, "x")->uintOf("k") == 2);
}

TEST_CASE("getters widen numbers and refuse other types by the key's name")
{
    const std::vector<std::byte> bytes = sampleWriter().bytes();
    const auto file = engine::GgufFile::parse(bytes, "sample.gguf");
    CHECK_FALSE(file->findUint("missing").has_value());
    CHECK_FALSE(file->findString("missing").has_value());
    CHECK(file->findArray("missing") == nullptr);
    using engine::ErrorCode;
    CHECK(codeOf([&] { file->findUint("general.architecture"); }) == ErrorCode::Damaged);
    CHECK(codeOf([&] { file->findUint("llama.rope.freq_base"); }) == ErrorCode::Damaged);
    CHECK(codeOf([&] { file->findNumber("tokens"); }) == ErrorCode::Damaged);
    CHECK(codeOf([&] { file->findBool("llama.block_count"); }) == ErrorCode::Damaged);
    CHECK(codeOf([&] { file->findString("llama.block_count"); }) == ErrorCode::Damaged);
    CHECK(codeOf([&] { file->findArray("llama.block_count"); }) == ErrorCode::Damaged);
    CHECK(codeOf([&] { file->uintOf("missing"); }) == ErrorCode::Damaged);
    CHECK_THROWS_WITH(file->stringOf("missing.key"),
                      "sample.gguf is damaged: the metadata entry missing.key is missing. Choose "
                      "another conversion of the model.");
}

TEST_CASE("all value types and both versions are read")
{
    for (const std::uint32_t version : {2U, 3U}) {
        const RawGguf raw = RawGguf(0, 11, version)
                                .key("u8", 0)
                                .add(std::uint8_t{200})
                                .key("i8", 1)
                                .add(std::int8_t{-3})
                                .key("u16", 2)
                                .add(std::uint16_t{60000})
                                .key("i16", 3)
                                .add(std::int16_t{-300})
                                .key("i32", 5)
                                .add(std::int32_t{70000})
                                .key("f64", 12)
                                .add(0.25)
                                .key("u64", 10)
                                .add(~std::uint64_t{0})
                                .key("i64", 11)
                                .add(std::int64_t{-1})
                                .key("bools", 9)
                                .add(7U)
                                .add(2ULL)
                                .add('\1')
                                .add('\0')
                                .key("shorts", 9)
                                .add(3U)
                                .add(1ULL)
                                .add(std::int16_t{-5})
                                .key("none", 9)
                                .add(8U)
                                .add(0ULL);
        const auto file = engine::GgufFile::parse(raw.bytes(), "types.gguf");
        CHECK(file->uintOf("u8") == 200);
        CHECK(file->findNumber("i8") == -3.0);
        CHECK(codeOf([&] { file->findUint("i8"); }) == engine::ErrorCode::Damaged);
        CHECK(file->uintOf("u16") == 60000);
        CHECK(file->findNumber("i16") == -300.0);
        CHECK(file->uintOf("i32") == 70000);
        CHECK(file->findNumber("f64") == 0.25);
        CHECK(file->uintOf("u64") == ~std::uint64_t{0});
        CHECK(file->findNumber("i64") == -1.0);
        CHECK(std::get<std::vector<std::uint64_t>>(file->findArray("bools")->values) ==
              std::vector<std::uint64_t>{1, 0});
        CHECK(std::get<std::vector<std::int64_t>>(file->findArray("shorts")->values) ==
              std::vector<std::int64_t>{-5});
        CHECK(std::get<std::vector<std::string>>(file->findArray("none")->values).empty());
    }
}

TEST_CASE("a tensor of another file is not followed out of this one")
{
    const std::vector<std::byte> bytes = sampleWriter().bytes();
    const auto file = engine::GgufFile::parse(bytes, "sample.gguf");
    engine::GgufTensor stranger = file->tensors().front();
    stranger.offset = ~std::uint64_t{0} - 8;
    CHECK(codeOf([&] { file->data(stranger); }) == engine::ErrorCode::BadInput);
    stranger.offset = 0;
    stranger.bytes = bytes.size() + 1;
    CHECK(codeOf([&] { file->data(stranger); }) == engine::ErrorCode::BadInput);
}

} // namespace tests
