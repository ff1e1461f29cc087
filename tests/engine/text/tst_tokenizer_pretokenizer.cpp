#include "engine/text/pretokenizer.h"
#include "engine/text/unicode_classes.h"

#include <doctest/doctest.h>
#include <string>

namespace tests {
namespace {

using engine::PreTokenizer;

/// The words of a text, joined with bars.
std::string cut(PreTokenizer rules, const std::string& text)
{
    std::string words;
    std::uint32_t begin = 0;
    for (const std::uint32_t end : engine::splitWords(rules, text)) {
        words += (words.empty() ? "" : "|") + text.substr(begin, end - begin);
        begin = end;
    }
    CHECK(begin == text.size());
    return words;
}

} // namespace

TEST_CASE("GPT-2 cuts words, numbers, symbols and spaces")
{
    const auto gpt2 = [](const std::string& text) { return cut(PreTokenizer::Gpt2, text); };
    CHECK(gpt2("").empty());
    CHECK(gpt2("Hello, world 2024!!") == "Hello|,| world| 2024|!!");
    CHECK(gpt2("it's IT'S we'll 'tis") == "it|'s| IT|'|S| we|'ll| '|tis");
    CHECK(gpt2("a   b") == "a|  | b");
    CHECK(gpt2("a \n\tb  ") == "a| \n|\t|b|  ");
    CHECK(gpt2("\xc3\xa9t\xc3\xa9 \xe2\x82\xac"
               "5") == "\xc3\xa9t\xc3\xa9| \xe2\x82\xac|5");
    CHECK(gpt2("'") == "'");
    CHECK(gpt2("'r") == "'|r");
}

TEST_CASE("Llama 3 and Qwen 2 differ in the digits of a number")
{
    CHECK(cut(PreTokenizer::Llama3, "12345 x") == "123|45| x");
    CHECK(cut(PreTokenizer::Qwen2, "123 x") == "1|2|3| x");
    CHECK(cut(PreTokenizer::Llama3, "IT'S (ok)\tgo") == "IT|'S| (|ok|)|\tgo");
    CHECK(cut(PreTokenizer::Llama3, "end.\n\n  next") == "end|.\n\n| | next");
    CHECK(cut(PreTokenizer::Llama3, "a \n \n  b 1") == "a| \n \n| | b| |1");
    CHECK(cut(PreTokenizer::Qwen2, "\"quoted\" x") == "\"quoted|\"| x");
}

TEST_CASE("DeepSeek Coder cuts line breaks, Asian runs and single digits out")
{
    const auto coder = [](const std::string& text) {
        return cut(PreTokenizer::DeepSeekCoder, text);
    };
    CHECK(coder("int x=10;\n") == "int| x|=|1|0|;|\n");
    CHECK(coder("a\xe4\xbd\xa0\xe5\xa5\xbd"
                "b") == "a|\xe4\xbd\xa0\xe5\xa5\xbd|b");
    CHECK(coder("  ++") == "  ++"); // + is a symbol, not punctuation
    CHECK(coder("\r\n") == "\r|\n");
}

TEST_CASE("SmolLM takes digits one by one and the rest like GPT-2")
{
    CHECK(cut(PreTokenizer::SmolLm, "a 12 b") == "a| |1|2| b");
}

TEST_CASE("the names of files lead to the rules")
{
    CHECK(engine::findPreTokenizer("llama-bpe")->wholeWordsFirst);
    CHECK(engine::findPreTokenizer("llama-bpe")->addBos);
    CHECK_FALSE(engine::findPreTokenizer("qwen2")->addBos);
    CHECK(engine::findPreTokenizer("deepseek-r1-qwen")->rules == PreTokenizer::Qwen2);
    CHECK_FALSE(engine::findPreTokenizer("").has_value());
}

TEST_CASE("character classes at the edges of the tables")
{
    using engine::CharacterClass;
    CHECK(engine::characterClass(0) == CharacterClass::Other);
    CHECK(engine::characterClass('a') == CharacterClass::Letter);
    CHECK(engine::characterClass('+') == CharacterClass::Other);
    CHECK(engine::characterClass('_') == CharacterClass::Punctuation);
    CHECK(engine::characterClass(0x85) == CharacterClass::Space);
    CHECK(engine::characterClass(0x2029) == CharacterClass::Space);
    CHECK(engine::characterClass(0x0301) == CharacterClass::Mark);
    CHECK(engine::characterClass(0x00bd) == CharacterClass::Number);
    CHECK(engine::characterClass(0x20000) == CharacterClass::Letter);
    CHECK(engine::characterClass(0x10ffff) == CharacterClass::Other);
    CHECK(engine::characterClass(0xffffffff) == CharacterClass::Other);
}

} // namespace tests
