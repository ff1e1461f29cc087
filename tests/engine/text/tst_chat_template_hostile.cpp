#include "engine/text/chat_template.h"
#include "tests/engine/text/template_cases.h"

#include <chrono>
#include <doctest/doctest.h>
#include <random>

using engine::ChatTemplate;
using engine::Error;
using engine::ErrorCode;
using engine::TemplateLimits;
using engine::TemplateValue;

namespace {

std::string repeated(std::string_view text, std::size_t count)
{
    std::string result;
    for (std::size_t i = 0; i < count; ++i) {
        result += text;
    }
    return result;
}

std::vector<std::string> bombs()
{
    const std::string deep = repeated("(", 100000) + "1" + repeated(")", 100000);
    const std::string doubled = "{% set n = namespace(x='abcdefgh') %}{% for i in range(60) %}";
    const std::string nested =
        "{% set n = namespace(x=[1]) %}{% for i in range(60) %}{% set n.x = [n.x, n.x] %}"
        "{% endfor %}";
    return {
        "{% for a in range(10000) %}{% for b in range(10000) %}{% endfor %}{% endfor %}",
        "{{ range(999999999999) | length }}",
        "{{ 'x' * 999999999999 }}",
        "{{ [0] * 999999999999 }}",
        doubled + "{% set n.x = n.x ~ n.x %}{% endfor %}",
        doubled + "{% set n.x = n.x + n.x %}{% endfor %}",
        doubled + "{% set n.x = n.x.replace('a', n.x) %}{% endfor %}",
        doubled + "{% set n.x = n.x | indent(n.x) | replace('', n.x) %}{% endfor %}",
        "{% set n = namespace(x='ab') %}{% for i in range(60) %}{% set n.x = (n.x | list + n.x | "
        "list) | join(n.x) %}"
        "{% endfor %}",
        nested + "{{ n.x }}",
        nested + "{{ n.x | tojson }}",
        nested + "{% set m = namespace(x=[1]) %}{% for i in range(60) %}{% set m.x = [m.x, m.x] "
                 "%}{% endfor %}"
                 "{{ n.x == m.x }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(1) }}",
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) "
        "}}",
        "{% set a = [] %}{% set _ = a.append(a) %}{{ a }}",
        "{% set a = [] %}{% set b = [a] %}{% set _ = a.append(b) %}{{ a == b }}",
        "{% set n = namespace() %}{% set n.n = n %}{{ n }}",
        "{% set a = [1] %}{% for i in range(100000) %}{% set _ = a.extend(a) %}{% endfor %}",
        "{% set s = 'ab' * 3000000 %}{% for i in range(100000) %}{% if 'c' in s %}{% endif %}{% "
        "endfor %}",
        "{% set s = 'ab' * 3000000 %}{% for i in range(100000) %}{{ s[1:2] }}{% endfor %}",
        "{{ '" + repeated("x", 100000) + "' * 100 }}",
        "{% for i in range(500000) %}{{ 'some text that is not short' }}{% endfor %}",
        "{{ range(200000) | list | sort | unique | list | length }}",
        "{% set a = '[' * 100000 %}{{ a | from_json }}",
        "{% set a = [] %}{% set _ = a.append(a) %}{{ a | map('tojson') | list }}",
        "{{ " + deep + " }}",
        "{{ 1" + repeated(" + 1", 100000) + " }}",
        "{{ x" + repeated(" | upper", 100000) + " }}",
        "{{ x" + repeated(".a", 100000) + " }}",
        "{{ " + repeated("not ", 100000) + "1 }}",
        "{{ " + repeated("-", 100001) + "1 }}",
        "{{ " + repeated("[", 100000) + repeated("]", 100000) + " }}",
        "{{ " + repeated("1 if 1 else ", 100000) + "1 }}",
        repeated("{% if 1 %}", 100000),
        repeated("{% for i in [1, 2] %}", 40) + repeated("{% endfor %}", 40),
        repeated("{% filter upper %}", 100000),
    };
}

/// Changes of a kind that break templates without leaving nothing but syntax errors.
std::string mutated(std::string text, std::mt19937_64& random,
                    const std::vector<std::string>& sources)
{
    const auto below = [&](std::size_t n) { return n == 0 ? 0 : random() % n; };
    const std::size_t changes = 1 + below(4);
    for (std::size_t i = 0; i < changes; ++i) {
        const std::size_t at = below(text.size());
        const std::size_t length = std::min(1 + below(20), text.size() - at);
        static const std::vector<std::string> kTokens{
            "{%", "%}", "{{", "}}",     "-",        "not ",  "[::-1]",  " | ", "(",
            ")",  "'",  "\"", "loop",   "none",     "1e999", "\\u0000", " ~ ", "* 99",
            "[",  "]",  "{",  "endfor", "messages", "m.x.y", ".pop(",   "\xFF"};
        switch (below(5)) {
        case 0:
            text.erase(at, length);
            break;
        case 1:
            text.insert(at, kTokens[below(kTokens.size())]);
            break;
        case 2:
            text.insert(at, text.substr(below(text.size()), 1 + below(30)));
            break;
        case 3: {
            const std::string& other = sources[below(sources.size())];
            text.replace(at, length, other.substr(below(other.size()), 1 + below(40)));
            break;
        }
        default:
            if (!text.empty()) {
                text[at] = static_cast<char>(random() & 0xFFU);
            }
        }
    }
    return text;
}

} // namespace

TEST_CASE("bombs are stopped by the limits")
{
    for (const std::string& bomb : bombs()) {
        CAPTURE(bomb.substr(0, 200));
        try {
            const auto chat = ChatTemplate::parse(bomb);
            chat->render({}, std::chrono::system_clock::time_point());
            FAIL_CHECK("this should be stopped");
        } catch (const Error& error) {
            const bool isLimit =
                error.code() == ErrorCode::TooLarge ||
                std::string(error.what()).find("nested too deeply") != std::string::npos;
            CAPTURE(error.what());
            CHECK(isLimit);
        }
    }
}

TEST_CASE("the limits are the caller's")
{
    const auto chat =
        ChatTemplate::parse("{% for i in range(100) %}{{ 'ten bytes.' }}{% endfor %}");
    const auto render = [&](const TemplateLimits& limits) {
        return chat->render({}, {}, limits).size();
    };
    CHECK(render({}) == 1000);
    TemplateLimits limits;
    limits.steps = 50;
    CHECK_THROWS_WITH_AS(render(limits), doctest::Contains("too many steps"), Error);
    limits = {};
    limits.outputBytes = 999;
    CHECK_THROWS_AS(render(limits), Error);
    limits = {};
    limits.depth = 3;
    const auto nesting = ChatTemplate::parse(
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(n) }}");
    CHECK(nesting->render({{"n", {std::int64_t{2}}}}, {}, limits).empty());
    CHECK_THROWS_AS(nesting->render({{"n", {std::int64_t{3}}}}, {}, limits), Error);
}

TEST_CASE("a long message passes within the usual limits")
{
    const auto chat = ChatTemplate::parse(
        "{% for m in messages %}<{{ m.role }}>\n{{ m['content'] | trim + '<end>' }}{% endfor %}");
    const std::string document = repeated("A sentence of some length. ", 100000);
    const std::string text = chat->render({{"user", document}}, true, "", "");
    CHECK(text.size() == document.size() - 1 + std::string_view("<user>\n<end>").size());
}

TEST_CASE("2,000 mutated templates render or fail with an error")
{
    const std::vector<tests::TemplateFile> files = tests::goldenTemplates();
    if (files.empty()) {
        MESSAGE("skipped: the folder of golden files is not there");
        return;
    }
    std::vector<std::string> sources;
    for (const tests::TemplateFile& file : files) {
        sources.push_back(file.source);
    }
    std::mt19937_64 random(20240726);
    std::size_t rendered = 0;
    std::size_t failed = 0;
    for (std::size_t i = 0; i < 2000; ++i) {
        const tests::TemplateFile& file = files[i % files.size()];
        const std::string source = mutated(file.source, random, sources);
        const tests::TemplateCase& c = file.cases[random() % file.cases.size()];
        try {
            ChatTemplate::parse(source)->render(c.variables,
                                                std::chrono::system_clock::time_point());
            ++rendered;
        } catch (const Error& error) {
            CHECK(std::string_view(error.what()).find("template") != std::string_view::npos);
            ++failed;
        }
    }
    CHECK(rendered >
          100); // so many changes do no harm; if none did, the mutations would test the lexer only
    CHECK(failed > 100);
}
