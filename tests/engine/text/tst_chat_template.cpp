#include "engine/text/chat_template.h"
#include "tests/engine/text/template_cases.h"

#include <doctest/doctest.h>
#include <fstream>
#include <iterator>

using engine::ChatTemplate;
using engine::Error;
using engine::ErrorCode;
using engine::TemplateLimits;
using engine::TemplateValue;

namespace {

constexpr auto kNow = std::chrono::sys_days{std::chrono::year{2024} / 7 / 26} +
                      std::chrono::hours(9) + std::chrono::minutes(5) + std::chrono::seconds(3);

std::string render(std::string_view source, const TemplateValue::Object& variables = {},
                   const TemplateLimits& limits = {})
{
    return ChatTemplate::parse(source)->render(variables, kNow, limits);
}

/// The error's sentence, which must have the code.
std::string errorOf(ErrorCode code, std::string_view source,
                    const TemplateValue::Object& variables = {})
{
    try {
        render(source, variables);
    } catch (const Error& error) {
        CHECK(static_cast<int>(error.code()) == static_cast<int>(code));
        return error.what();
    }
    return "no error";
}

TemplateValue text(const char* value)
{
    return {std::string(value)};
}

} // namespace

TEST_CASE("all golden conversations are rendered as the reference does")
{
    const auto folder = tests::goldenTemplates();
    if (folder.empty()) {
        MESSAGE("skipped: the folder of golden files is not there");
        return;
    }
    std::size_t count = 0;
    for (const tests::TemplateFile& file : folder) {
        CAPTURE(file.name);
        const auto chat = ChatTemplate::parse(file.source);
        for (const tests::TemplateCase& c : file.cases) {
            CAPTURE(c.description);
            ++count;
            if (!c.isError) {
                CHECK(chat->render(c.variables, kNow) == c.expected);
                continue;
            }
            try {
                chat->render(c.variables, kNow);
                FAIL_CHECK("there should be an error: ", c.expected);
            } catch (const Error& error) {
                CHECK(std::string(error.what()).find(c.expected) != std::string::npos);
            }
        }
    }
    CHECK(count == 202);
}

TEST_CASE("blanks around tags")
{
    CHECK(render("a\n{% if true %}\nb\n{% endif %}\nc\n") == "a\nb\nc");
    CHECK(render("a\n  {% if true %}  b  {% endif %}  \nc") == "a\n  b    \nc");
    CHECK(render("  {%+ if true %}x{% endif +%}\ny") == "  x\ny");
    CHECK(render("a  {%- if true -%}  b  {%- endif -%}  c") == "abc");
    CHECK(render("  {{ 1 }}\n{{- 2 -}}  \n3") == "  123");
    CHECK(render("a\n  {# note #}\nb{#- x -#}  c") == "a\nbc");
    CHECK(render("x{% raw %} {{ y }} {% endraw %}\nz\n\n") == "x {{ y }} z\n");
    CHECK(render("one\r\ntwo\rthree\r\n") == "one\ntwo\nthree");
    CHECK(render("{") == "{");
    CHECK(render("") == "");
}

TEST_CASE("expressions have Python's results")
{
    const std::pair<const char*, const char*> cases[] = {
        {"1 + 2 * 3 - 4", "3"},
        {"7 // 2 ~ -7 // 2 ~ 7 % -3 ~ -7 % 3", "3-4-22"},
        {"7 / 2", "3.5"},
        {"2 ** 10", "1024"},
        {"-2 ** 2", "4"},
        {"1.0 ~ 1e20 ~ 0.1 ~ 1e-7", "1.01e+200.11e-07"},
        {"'a' 'b' ~ none ~ true ~ x", "abNoneTrue"},
        {"[1, 'a', none, 2.5, {'k': \"it's\"}]", "[1, 'a', None, 2.5, {'k': \"it's\"}]"},
        {"(1, 2)", "(1, 2)"},
        {"1 < 2 < 3 and not 3 < 2", "True"},
        {"'b' in 'abc' and 2 in [1, 2] and 'k' in {'k': 1} and 5 not in [1]", "True"},
        {"0 or 'x' and 'y'", "y"},
        {"'yes' if x is defined else 'no'", "no"},
        {"'yes' if false", ""},
        {"'abcdef'[1:4] ~ 'abcdef'[::-1] ~ 'abcdef'[-2:] ~ 'abcdef'[::2]", "bcdfedcbaeface"},
        {"'é中😀'[1] ~ ('é中😀' | length)", "中3"},
        {"[1, 2, 3][-1] ~ [1][5]", "3"},
        {"{'a': {'b': 1}}.a.b ~ {'a': 1}['a'] ~ {'a': 1}.get('z', 7)", "117"},
        {"'a-b-c'.split('-') | join('+')", "a+b+c"},
        {"'a-b-c'.split('-', 1)[1] ~ 'a-b-c'.rsplit('-', 1)[0]", "b-ca-b"},
        {"'  a  b '.split() | length", "2"},
        {"'xxaxx'.strip('x') ~ ' a'.lstrip() ~ 'a '.rstrip() ~ '|'", "aaa|"},
        {"'abc'.startswith('ab') and 'abc'.endswith(('x', 'c'))", "True"},
        {"'aXbX'.replace('X', '-', 1)", "a-bX"},
        {"'ab' * 3 ~ [0] * 2", "ababab[0, 0]"},
        {"[3, 1, 2] | sort | join(',') ~ (['b', 'A'] | sort | join)", "1,2,3Ab"},
        {"['b', 'a', 'B'] | unique | list", "['b', 'a']"},
        {"{'b': 1, 'a': 2} | dictsort", "[('a', 2), ('b', 1)]"},
        {"[{'n': 1}, {'n': 2}] | map(attribute='n') | sum", "3"},
        {"['a', 'b'] | map('upper') | join", "AB"},
        {"[1, 2, 3, 4] | select('odd') | list ~ ([0, 1] | reject | list)", "[1, 3][0]"},
        {"'hello world' | title ~ ('ÉA' | lower) ~ ('aB' | capitalize)", "Hello WorldéaAb"},
        {"x | default('d') ~ ('' | default('e', true)) ~ ('42' | int + 1)", "de43"},
        {"{'a': [1, none], 'b': 'é\"\\n'} | tojson", "{\"a\": [1, null], \"b\": \"é\\\"\\n\"}"},
        {"[1, [2]] | tojson(indent=1)", "[\n 1,\n [\n  2\n ]\n]"},
        {"[] | tojson(indent=1)", "[]"},
        {"'{\"a\": [1, 2.5, \"\\\\u00e9\"]}' | from_json", "{'a': [1, 2.5, 'é']}"},
        {"1 is odd and 2 is even and 4 is divisibleby 2 and 'a' is string", "True"},
        {"{} is mapping and [] is sequence and 'a' is iterable and 1 is not iterable", "True"},
        {"none is none and true is boolean and 1 is eq 1 and 1 is not none", "True"},
        {"1 == 1.0 and true == 1 and [1] == [1.0] and 'a' != 1", "True"},
        {"range(3) | list ~ (range(5, 0, -2) | list)", "[0, 1, 2][5, 3, 1]"},
        {"strftime_now('%d %B %Y, %H:%M:%S %a %j %-d %%')", "26 July 2024, 09:05:03 Fri 208 26 %"},
        {"'\\x41\\u00e9\\101\\q'", "AéA\\q"},
        {"2.5 | round ~ (2.567 | round(2)) ~ (-3 | abs)", "2.02.573"},
        {"'a\\nb' | indent(2)", "a\n  b"},
        {"'a<b' | e", "a&lt;b"},
        {"[1, 5, 3] | max ~ ([4, 2] | min) ~ ([1, 2] | first) ~ ([1, 2] | last)", "5212"},
        {"{'a': 1}.items() | list", "[('a', 1)]"},
        {"(1 if true else 2) + (3 if false else 4)", "5"},
        {"not x is defined", "True"},
    };
    for (const auto& [expression, expected] : cases) {
        CAPTURE(expression);
        CHECK(render("{{ " + std::string(expression) + " }}") == expected);
    }
}

TEST_CASE("statements")
{
    CHECK(render("{% for a, b in {'x': 1, 'y': 2}.items() %}{{ a }}{{ b }}{{ ',' if not loop.last "
                 "}}{% endfor %}") == "x1,y2");
    CHECK(render("{% for i in range(9) if i is odd %}{{ loop.index }}/{{ loop.length }} {% else "
                 "%}-{% endfor %}") == "1/4 2/4 3/4 4/4 ");
    CHECK(render("{% for i in [] %}x{% else %}none{% endfor %}") == "none");
    CHECK(render("{% for i in range(9) %}{% if i == 1 %}{% continue %}{% elif i == 4 %}{% break "
                 "%}{% endif %}{{ i }}"
                 "{% endfor %}") == "023");
    CHECK(render("{% for i in 'ab' %}{{ loop.cycle('x', 'y') }}{{ loop.revindex }}{% endfor %}") ==
          "x2y1");
    CHECK(
        render(
            "{% set x = 1 %}{% for i in [1, 2] %}{% set x = x + i %}{{ x }}{% endfor %}{{ x }}") ==
        "231");
    CHECK(render("{% set n = namespace(c=0) %}{% for i in [1, 2] %}{% set n.c = n.c + i %}{% "
                 "endfor %}{{ n.c }}") == "3");
    CHECK(render("{% set x %}a{{ 1 }}{% endset %}{% set y | upper %}b{% endset %}{{ x ~ y }}") ==
          "a1B");
    CHECK(render("{% set a, b = 1, 2 %}{{ a ~ b }}") == "12");
    CHECK(render("{% macro m(a, b=2, c=a) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) ~ m(1, c=5) "
                 "}}") == "121125");
    CHECK(render("{% macro m() %}[{{ caller(7) }}]{% endmacro %}{% call(x) m() %}{{ x }}{% endcall "
                 "%}") == "[7]");
    CHECK(
        render(
            "{% macro f(n) %}{{ n }}{% if n %}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(3) }}") ==
        "3210");
    CHECK(render("{% filter upper | trim %} a {% endfilter %}") == "A");
    CHECK(render("{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a }}") == "3");
    CHECK(render("{% generation %}x{% endgeneration %}") == "x");
    CHECK(render("{% set l = [1] %}{% set _ = l.append(2) %}{{ l }}{{ l.pop(0) }}{{ l }}") ==
          "[1, 2]1[2]");
}

TEST_CASE("a template sees its variables and nothing else")
{
    const TemplateValue::Object variables{{"name", text("x")},
                                          {"list", {TemplateValue::Array{text("a")}}}};
    CHECK(render("{{ name }}{{ list[0] }}{{ other }}", variables) == "xa");
    CHECK(render("{{ ''.__class__ }}{{ list.__init__ }}{{ name.mro }}", variables) == "");
}

TEST_CASE("errors name the line and the reason")
{
    CHECK(errorOf(ErrorCode::BadInput, "{{ raise_exception('no ' ~ 'way') }}").find("no way") !=
          std::string::npos);
    CHECK(errorOf(ErrorCode::BadInput, "\n\n{{ x.y }}").find("line 3") != std::string::npos);
    CHECK(errorOf(ErrorCode::BadInput, "{{ x.y }}").find("\"x\" is undefined") !=
          std::string::npos);
    CHECK(errorOf(ErrorCode::BadInput, "{{ none + 'a' }}").find("none and string") !=
          std::string::npos);
    CHECK(errorOf(ErrorCode::BadInput, "{{ 1 // 0 }}").find("divided by zero") !=
          std::string::npos);
    CHECK(errorOf(ErrorCode::BadInput, "{{ 9223372036854775807 + 1 }}").find("too large") !=
          std::string::npos);
    CHECK(errorOf(ErrorCode::Unsupported, "a\n{{ x | frobnicate }}")
              .find("\"frobnicate\" in line 2") != std::string::npos);
    CHECK(errorOf(ErrorCode::Unsupported, "{% include 'x' %}").find("include") !=
          std::string::npos);
    CHECK(errorOf(ErrorCode::Unsupported, "{{ open('x') }}").find("open") != std::string::npos);
    const std::pair<const char*, const char*> damaged[] = {
        {"a\n{% if x %}", "endif"},
        {"{{ 1", "\"{{\" is not closed"},
        {"{% if %}", "where a value belongs"},
        {"{# x", "comment"},
        {"{{ 'a }}", "string"},
        {"{{ (1] }}", "closes nothing"},
        {"{{ 1 + }}", "\"}}\""},
        {"{% endif %}", "endif"},
        {"{{ a b }}", "\"b\""},
        {"{% raw %}x", "raw block"},
        {"{{ 1 ? 2 }}", "\"?\""},
        {"{% break %}", "outside of a loop"},
        {"{{ 99999999999999999999 }}", "too large"},
    };
    for (const auto& [source, reason] : damaged) {
        CAPTURE(source);
        const std::string error = errorOf(ErrorCode::Damaged, source);
        CHECK(error.find(reason) != std::string::npos);
        CHECK(error.find("line ") != std::string::npos);
    }
}
