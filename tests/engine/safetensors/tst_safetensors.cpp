#include "engine/error.h"
#include "engine/safetensors/safetensors_file.h"
#include "engine/safetensors/safetensors_writer.h"
#include "tests/app/store/temporary_folder.h"

#include <array>
#include <cstring>
#include <doctest/doctest.h>
#include <fstream>

namespace {

using namespace engine;
using Bytes = std::vector<std::byte>;

/// A file with the given header and that many bytes behind it.
Bytes fileOf(const std::string& header, std::size_t dataBytes)
{
    const std::uint64_t length = header.size();
    Bytes bytes(sizeof(length) + header.size() + dataBytes);
    std::memcpy(bytes.data(), &length, sizeof(length));
    std::memcpy(bytes.data() + sizeof(length), header.data(), header.size());
    return bytes;
}

void parse(const Bytes& bytes)
{
    SafetensorsFile::parse(bytes, "x.safetensors");
}

Bytes numbers(std::size_t count)
{
    Bytes bytes(count);
    for (std::size_t i = 0; i < count; ++i)
        bytes[i] = static_cast<std::byte>(i);
    return bytes;
}

void writeText(const std::filesystem::path& path, const std::string& text)
{
    std::ofstream(path, std::ios::binary) << text;
}

} // namespace

TEST_CASE("what the writer wrote is read back")
{
    const tests::TemporaryFolder folder;
    SafetensorsWriter writer;
    writer.setMetadata("format", "pt");
    writer.addTensor("b", "F32", {2, 3}, numbers(24));
    writer.addTensor("a", "BF16", {5}, numbers(10));
    writer.addTensor("scalar", "F16", {}, numbers(2));
    writer.addTensor("nothing", "F32", {0, 4}, {});
    writer.write(folder.path() / "m.safetensors");
    const auto file = SafetensorsFile::open(folder.path() / "m.safetensors");
    CHECK(file->name() == "m.safetensors");
    CHECK(file->metadata().at("format") == "pt");
    REQUIRE(file->tensors().size() == 4);
    const SafetensorsTensor* a = file->findTensor("a");
    REQUIRE(a != nullptr);
    CHECK(a->type == "BF16");
    CHECK(a->shape == std::vector<std::uint64_t>{5});
    const auto data = file->data(*a);
    CHECK(Bytes(data.begin(), data.end()) == numbers(10));
    CHECK(file->data(*file->findTensor("b")).size() == 24);
    CHECK(file->findTensor("scalar")->shape.empty());
    CHECK(file->data(*file->findTensor("nothing")).empty());
    CHECK(file->findTensor("c") == nullptr);
}

TEST_CASE("a header that contradicts the file is refused by the name of the field")
{
    const auto refused = [](const std::string& header, std::size_t bytes, const char* words) {
        INFO(header);
        try {
            parse(fileOf(header, bytes));
            FAIL("accepted");
        } catch (const Error& error) {
            INFO(error.what());
            CHECK(std::string(error.what()).find(words) != std::string::npos);
        }
    };
    const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
    CHECK_NOTHROW(parse(fileOf(good, 8)));
    CHECK_NOTHROW(parse(fileOf(good + "   ", 8)));
    refused(good, 7, "a has data_offsets outside the file");
    refused(good, 9, "1 bytes behind the last tensor");
    refused(" " + good, 8, "does not begin with '{'");
    refused(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "need 12");
    refused(R"({"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}})", 8, "dtype \"F31\"");
    refused(R"({"a":{"dtype":7,"shape":[2],"data_offsets":[0,8]}})", 8, "a has no dtype");
    refused(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "whole numbers");
    refused(R"({"a":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})", 8, "a has no shape");
    refused(R"({"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,2],"data_offsets":[0,8]}})", 8,
            "a has no shape");
    refused(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0,
            "2^44");
    refused(R"({"a":{"dtype":"F32","shape":[0,18446744073709551615],"data_offsets":[0,0]}})", 0,
            "2^44");
    refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "outside the file");
    refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0]}})", 8, "two whole numbers");
    refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})", 8,
            "not an object of dtype");
    refused(R"({"a":[]})", 0, "not an object of dtype");
    refused(R"({"__metadata__":{"a":1}})", 0, "not a text");
    refused(R"({"__metadata__":[]})", 0, "not an object");
    refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
            R"("b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})",
            12, "b overlaps");
    refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
            R"("b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}})",
            16, "b leaves a gap");
    refused(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
            R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
            8, "stands twice");
}

TEST_CASE("a length that the file does not have is refused")
{
    Bytes bytes = fileOf("{}", 0);
    CHECK_NOTHROW(parse(bytes));
    for (const std::uint64_t length :
         {std::uint64_t{3}, std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{7}}) {
        std::memcpy(bytes.data(), &length, sizeof(length));
        CHECK_THROWS_AS(parse(bytes), Error);
    }
    bytes.resize(7);
    CHECK_THROWS_AS(parse(bytes), Error);
}

TEST_CASE("a folder of shards is one set of tensors")
{
    const tests::TemporaryFolder folder;
    SafetensorsWriter first;
    first.addTensor("a", "F32", {2}, numbers(8));
    first.write(folder.path() / "one.safetensors");
    CHECK(SafetensorsSet::open(folder.path()).entries().size() == 1);
    CHECK(SafetensorsSet::open(folder.path() / "one.safetensors").find("a") != nullptr);
    SafetensorsWriter second;
    second.addTensor("b", "F32", {2}, numbers(8));
    second.write(folder.path() / "two.safetensors");
    CHECK_THROWS_WITH(SafetensorsSet::open(folder.path()),
                      doctest::Contains("has 2 files that end in .safetensors"));
    const auto index = folder.path() / "model.safetensors.index.json";
    writeText(index,
              R"({"metadata":{},"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
    const SafetensorsSet set = SafetensorsSet::open(folder.path());
    CHECK(set.entries().size() == 2);
    CHECK(set.find("b")->file->name() == "two.safetensors");
    CHECK(set.find("c") == nullptr);

    const std::array<std::pair<const char*, const char*>, 6> bad{{
        {R"({"weight_map":{"a":"one.safetensors"}, "x":)", "is damaged"},
        {R"({"metadata":{}})", "no weight_map"},
        {R"({"weight_map":{"a":"../one.safetensors"}})", "not a file's name"},
        {R"({"weight_map":{"a":"two.safetensors"}})", "is not in two.safetensors"},
        {R"({"weight_map":{"a":"three.safetensors"}})", "is not there"},
        {R"({"weight_map":{}})", "no tensors"},
    }};
    for (const auto& [text, words] : bad) {
        INFO(text);
        writeText(index, text);
        CHECK_THROWS_WITH(SafetensorsSet::open(folder.path()), doctest::Contains(words));
    }
    second.addTensor("a", "F32", {2}, numbers(8));
    second.write(folder.path() / "two.safetensors");
    writeText(index, R"({"weight_map":{"a":"one.safetensors","b":"two.safetensors"}})");
    CHECK_THROWS_WITH(SafetensorsSet::open(folder.path()), doctest::Contains("in two files"));
}
