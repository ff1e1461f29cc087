#include "engine/error.h"
#include "engine/safetensors/json_value.h"

#include <doctest/doctest.h>
#include <string>

namespace {

using namespace engine;

JsonValue parsed(std::string_view text)
{
    return parseJson(text, "config.json");
}

} // namespace

TEST_CASE("JSON values of every kind are read")
{
    const JsonValue value = parsed(R"( {"whole": 18446744073709551615, "minus": -1, "point": 0.5,
        "power": 1e3, "large": 18446744073709551616, "yes": true, "no": false, "none": null,
        "list": [1, [], {}], "text": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00é"} )");
    CHECK(*value.find("whole")->whole() == 18446744073709551615ULL);
    CHECK(std::get<double>(value.find("minus")->value) == -1.0);
    CHECK(std::get<double>(value.find("point")->value) == 0.5);
    CHECK(std::get<double>(value.find("power")->value) == 1000.0);
    CHECK(value.find("large")->whole() == nullptr);
    CHECK(*value.find("yes")->boolean());
    CHECK_FALSE(*value.find("no")->boolean());
    CHECK(std::holds_alternative<std::nullptr_t>(value.find("none")->value));
    CHECK(value.find("list")->array()->size() == 3);
    CHECK(*value.find("text")->text() == "a\"\\/\b\f\n\r\t\u00e9\U0001F600\u00e9");
    CHECK(value.find("missing") == nullptr);
    CHECK(value.find("list")->find("whole") == nullptr);
}

TEST_CASE("a string written as JSON is read back")
{
    std::string all;
    for (char each = 1; each < 127; ++each)
        all += each;
    all += "\u00e9\U0001F600";
    CHECK(*parsed(jsonString(all)).text() == all);
}

TEST_CASE("what is not JSON is refused")
{
    for (const char* text : {"",
                             "{",
                             "}",
                             "[1,]",
                             "{\"a\":1,}",
                             "{\"a\" 1}",
                             "{a:1}",
                             "{\"a\":1 \"b\":2}",
                             "[1 2]",
                             "01",
                             "1.",
                             ".5",
                             "+1",
                             "-",
                             "1e",
                             "1e999",
                             "tru",
                             "nul",
                             "\"a",
                             "\"\\x\"",
                             "\"\\u12g4\"",
                             "\"\\ud800\"",
                             "\"\\ud800\\u0041\"",
                             "\"\\udc00\"",
                             "\"\n\"",
                             "\"\xff\"",
                             "\"\xc0\x80\"",
                             "1 2",
                             "{} x",
                             "{\"a\":1,\"a\":2}",
                             "NaN",
                             "Infinity",
                             "'a'",
                             "// x\n1"}) {
        INFO(text);
        CHECK_THROWS_AS(parsed(text), Error);
    }
    CHECK_THROWS_WITH_AS(parsed("[1, x]"),
                         "config.json is damaged: a value is not JSON at byte 4. Download or copy "
                         "the file again.",
                         Error);
}

TEST_CASE("nesting ends before the stack does")
{
    CHECK_NOTHROW(parsed(std::string(31, '[') + std::string(31, ']')));
    CHECK_THROWS_AS(parsed(std::string(1'000'000, '[')), Error);
    std::string objects;
    for (int i = 0; i < 100'000; ++i)
        objects += "{\"a\":";
    CHECK_THROWS_AS(parsed(objects), Error);
}
