// Files that lie: the tricks behind the published vulnerabilities of GGUF readers, one a row.
#include "engine/error.h"
#include "engine/gguf/gguf_file.h"
#include "tests/engine/gguf/raw_gguf.h"

#include <doctest/doctest.h>
#include <limits>

namespace tests {
namespace {

constexpr std::uint64_t kHuge = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint64_t kSignedMax = std::numeric_limits<std::int64_t>::max();
constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kQ4 = 2;

struct BadFile
{
    const char* trick;
    RawGguf file;
    const char* reason; // part of the sentence or of its detail
};

RawGguf oneTensor(const std::vector<std::uint64_t>& shape, std::uint32_t type = kF32,
                  std::uint64_t offset = 0)
{
    return RawGguf(1, 0).tensor("w", shape, type, offset).align(32).zeros(64);
}

RawGguf twoTensors(std::uint64_t secondOffset, const char* secondName = "v")
{
    return RawGguf(2, 0)
        .tensor("w", {16}, kF32, 0)
        .tensor(secondName, {16}, kF32, secondOffset)
        .align(32)
        .zeros(128);
}

RawGguf alignment(std::uint32_t value)
{
    return RawGguf(0, 1).key("general.alignment", 4).add(value);
}

RawGguf arrayOf(std::uint32_t element, std::uint64_t count)
{
    return RawGguf(0, 1).key("list", 9).add(element).add(count).zeros(64);
}

std::vector<BadFile> badHeaders()
{
    const std::string zeroInKey("general\0alignment", 17);
    return {
        {"nothing at all", RawGguf(0, 0, 3, "").zeros(0), "not a GGUF model file"},
        {"another format", RawGguf(0, 0, 3, "GGML"), "does not start with the letters GGUF"},
        {"version 0", RawGguf(0, 0, 0), "GGUF version 0"},
        {"version 1", RawGguf(0, 0, 1), "GGUF version 1"},
        {"version 4", RawGguf(0, 0, 4), "GGUF version 4"},
        {"big-endian", RawGguf(0, 0, 0x03000000), "big-endian"},
        {"tensor count 2^64-1", RawGguf(kHuge, 0).zeros(64), "number of tensors"},
        {"tensor count overflows when multiplied", RawGguf(kHuge / 24 + 2, 0).zeros(64),
         "number of tensors"},
        {"one tensor too many for the rest", RawGguf(3, 0).zeros(72), "number of tensors"},
        {"pair count 2^64-1", RawGguf(0, kHuge).zeros(64), "number of metadata entries"},
        {"pair count 2^61", RawGguf(0, 1ULL << 61U).zeros(64), "number of metadata entries"},
        {"cut off in the counts", RawGguf(0, 0, 3, "GGUFGGUFGGUF").zeros(0), "GGUF version"},
        {"key length 2^64-1", RawGguf(0, 1).add(kHuge).zeros(64), "name of metadata entry 1"},
        {"key length -8 when signed", RawGguf(0, 1).add(kHuge - 7).zeros(64),
         "name of metadata entry 1"},
        {"empty key", RawGguf(0, 1).text("").zeros(16), "is empty"},
        {"key of 65536 bytes", RawGguf(0, 1).text(std::string(65536, 'k')).zeros(16), "65535"},
        {"zero byte in a key", RawGguf(0, 1).key(zeroInKey, 4).add(32U), "zero byte"},
        {"the same key twice", RawGguf(0, 2).key("k", 0).add('a').key("k", 0).add('b').zeros(8),
         "\"k\" is there twice"},
        {"value type 13", RawGguf(0, 1).key("k", 13).zeros(8), "unknown type 13"},
        {"value type 2^32-1", RawGguf(0, 1).key("k", 0xffffffff).zeros(8), "unknown type"},
        {"bool of 2", RawGguf(0, 1).key("k", 7).add('\2'), "neither true nor false"},
        {"value cut off", RawGguf(0, 1).key("kkkkkkk", 10).add(1), "beyond the end"},
        {"string length 2^63", RawGguf(0, 1).key("k", 8).add(1ULL << 63U).zeros(8),
         "value of \"k\""},
        {"string one byte too long", RawGguf(0, 1).key("k", 8).add(9ULL).zeros(8),
         "beyond the end"},
    };
}

std::vector<BadFile> badArraysAndAlignments()
{
    return {
        {"array count 2^64-1", arrayOf(0, kHuge), "too many elements"},
        {"array count times size wraps", arrayOf(10, (1ULL << 61U) + 1), "too many elements"},
        {"array longer than the file", arrayOf(10, 9), "room"},
        {"bool array longer than the file", arrayOf(7, 65), "room"},
        {"string array longer than the file", arrayOf(8, 9), "room"},
        {"array of arrays", arrayOf(9, 1), "element type 9"},
        {"array of unknown elements", arrayOf(77, 1), "element type 77"},
        {"string in an array beyond the end",
         RawGguf(0, 1).key("list", 9).add(8U).add(1ULL).add(kHuge), "value of \"list\""},
        {"bool array with a 3", RawGguf(0, 1).key("list", 9).add(7U).add(1ULL).add('\3'),
         "neither true nor false"},
        {"alignment 0", alignment(0), "general.alignment is 0"},
        {"alignment 1", alignment(1), "general.alignment is 1"},
        {"alignment 48", alignment(48), "general.alignment is 48"},
        {"alignment 2^31", alignment(1U << 31U), "general.alignment is 2147483648"},
        {"alignment as a text", RawGguf(0, 1).key("general.alignment", 8).text("32"),
         "general.alignment is not a 32-bit"},
        {"alignment of 64 bits", RawGguf(0, 1).key("general.alignment", 10).add(32ULL),
         "general.alignment is not a 32-bit"},
    };
}

std::vector<BadFile> badTensors()
{
    return {
        {"no dimensions", oneTensor({}), "0 dimensions"},
        {"five dimensions", oneTensor({1, 1, 1, 1, 1}), "5 dimensions"},
        {"a dimension of 0", oneTensor({16, 0}), "dimension 2"},
        {"a dimension of 2^63-1", oneTensor({kSignedMax, 2}), "dimension 1"},
        {"a dimension of -1", oneTensor({kHuge}), "dimension 1"},
        {"elements wrap to 0", oneTensor({1ULL << 32U, 1ULL << 32U}), "more elements"},
        {"elements wrap to 16", oneTensor({1ULL << 40U, 1ULL << 20U, 1ULL << 4U, 16}),
         "more elements"},
        {"exabytes in a small file", oneTensor({1ULL << 40U, 1ULL << 4U}), "not complete"},
        {"type 4, withdrawn", oneTensor({32}, 4), "type number 4"},
        {"type 31, withdrawn", oneTensor({32}, 31), "type number 31"},
        {"type 2^32-1", oneTensor({32}, 0xffffffff), "type number 4294967295"},
        {"half a block in a row", oneTensor({48, 2}, kQ4), "no multiple of the 32"},
        {"offset not aligned", oneTensor({8}, kF32, 4), "alignment 32"},
        {"offset beyond the end", oneTensor({16}, kF32, 1ULL << 40U), "not complete"},
        {"offset plus size wraps", oneTensor({16}, kF32, kHuge - 31), "not complete"},
        {"one byte beyond the end", oneTensor({17}), "not complete"},
        {"data section behind the end", RawGguf(1, 0).tensor("w", {1}, kF32, 0),
         "ends before the data"},
        {"two tensors share bytes", twoTensors(32), "inside the tensor before"},
        {"two tensors at one place", twoTensors(0), "inside the tensor before"},
        {"two tensors of one name", twoTensors(64, "w"), "listed twice"},
        {"nameless tensor", RawGguf(1, 0).tensor("", {1}, kF32, 0).zeros(64), "is empty"},
        {"zero byte in a tensor's name",
         RawGguf(1, 0).tensor(std::string_view("w\0", 2), {1}, kF32, 0).zeros(64), "zero byte"},
        {"tensor list cut off", RawGguf(1, 0).text("a long name of some tensor").add(1U),
         "shape of the tensor"},
    };
}

} // namespace

TEST_CASE("every bad file is refused with a sentence that names the field")
{
    std::vector<BadFile> files = badHeaders();
    for (BadFile& file : badArraysAndAlignments()) {
        files.push_back(std::move(file));
    }
    for (BadFile& file : badTensors()) {
        files.push_back(std::move(file));
    }
    CHECK(files.size() >= 60);
    for (const BadFile& bad : files) {
        CAPTURE(bad.trick);
        const std::string refusal = refusalOf(bad.file.bytes());
        CAPTURE(refusal);
        CHECK(refusal.find(bad.reason) != std::string::npos);
        CHECK(refusal.starts_with("model.gguf "));
    }
}

TEST_CASE("a file may end anywhere without harm")
{
    const RawGguf whole = RawGguf(1, 2)
                              .key("general.alignment", 4)
                              .add(64U)
                              .key("list", 9)
                              .add(8U)
                              .add(2ULL)
                              .text("one")
                              .text("two")
                              .tensor("w", {16}, kF32, 0)
                              .align(64)
                              .zeros(64);
    CHECK(refusalOf(whole.bytes()) == "accepted");
    for (std::size_t size = 0; size < whole.bytes().size(); ++size) {
        CAPTURE(size);
        CHECK(refusalOf(whole.bytes().first(size)) != "accepted");
    }
}

TEST_CASE("names from the file cannot break a message")
{
    const std::string name = "\x1b[31m\n" + std::string(500, 'x');
    const std::string refusal =
        refusalOf(RawGguf(1, 0).tensor(name, {1}, 99, 0).align(32).zeros(64).bytes());
    CHECK(refusal.find('\x1b') == std::string::npos);
    CHECK(refusal.find('\n') == std::string::npos);
    CHECK(refusal.size() < 400);
}

} // namespace tests
