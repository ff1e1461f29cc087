#include "engine/dialog/prompt_layout.h"
#include "engine/error.h"

#include <doctest/doctest.h>

using engine::ChatTemplate;
using engine::Exchange;
using engine::PromptBuilder;

namespace {

constexpr const char* kChatml =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/// Refuses a system message, trims, writes the beginning token.
constexpr const char* kInst =
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'system' %}{{ raise_exception('no "
    "system') }}"
    "{% elif m.role == 'user' %}[INST] {{ m.content | trim }} [/INST]"
    "{% else %} {{ m.content | trim }}{{ eos_token }}{% endif %}{% endfor %}";

/// Keeps the document and, of the last user message, only what stands in its last pair of quotation
/// marks.
constexpr const char* kReader =
    "{% for m in messages %}{% if loop.first %}{{ m.content.split('\\n\\n')[0] }}\n{% endif %}"
    "{% if loop.last %}{% set q = m.content.split('\\n\\n')[-1] %}{% set p = q.split('\"') %}"
    "{{ p[-2] if p | length > 2 else q }}{% endif %}{% endfor %}";

PromptBuilder builder(const char* source, std::string system = {})
{
    return {source != nullptr ? ChatTemplate::parse(source) : nullptr, std::move(system), "<s>",
            "</s>"};
}

} // namespace

TEST_CASE("without a template the texts follow each other")
{
    const auto prompt = builder(nullptr, "Be brief.");
    CHECK(prompt.prefix() == "Be brief.\n\n");
    CHECK(prompt.turn({}, "Why?") == "\n\nWhy?");
    const std::vector<Exchange> earlier{{"Why?", "Because."}};
    CHECK(prompt.turn(earlier, "And then?") == "\n\nAnd then?");
    CHECK(builder(nullptr).prefix().empty());
}

TEST_CASE("the document comes between the prefix and every question")
{
    const auto prompt = builder(kChatml, "Be brief.");
    CHECK(prompt.prefix() == "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n");
    CHECK(prompt.turn({}, "Why?") == "\n\nWhy?<|im_end|>\n<|im_start|>assistant\n");
    const std::vector<Exchange> earlier{{"Why?", "So."}, {"Who?", "They."}};
    CHECK(prompt.turn(earlier, "And \"then\"?") ==
          "<|im_end|>\n<|im_start|>user\nAnd \"then\"?<|im_end|>\n<|im_start|>assistant\n");
    CHECK(prompt.layout("Why?").beforeDocument == prompt.prefix());
    CHECK(prompt.layout("Why?").afterDocument == prompt.turn({}, "Why?"));
}

TEST_CASE("the parts make up what the template writes for the whole conversation")
{
    for (const char* source : {kChatml, kInst}) {
        const auto chat = ChatTemplate::parse(source);
        const PromptBuilder prompt(chat, "", "<s>", "</s>");
        const std::string document = "Once {{ upon }} a \"time\".";
        const std::vector<Exchange> earlier{{"Why?", "So."}};
        const std::string parts = prompt.prefix() + document + prompt.turn({}, "Why?") + "So." +
                                  prompt.turn(earlier, "Who?");
        std::string whole =
            chat->render({{"user", document + "\n\nWhy?"}, {"assistant", "So."}, {"user", "Who?"}},
                         true, "<s>", "</s>");
        if (source ==
            kInst) { // this template writes a blank before an answer, which is the model's to say
            whole.replace(whole.find(" So."), 4, "So.");
        }
        CHECK(parts == whole);
    }
}

TEST_CASE("a system text without a place of its own goes before the document")
{
    const auto prompt = builder(kInst, "Be brief.");
    CHECK(prompt.prefix() == "<s>[INST] Be brief.\n\n");
    CHECK(prompt.turn({}, " Why? ") == "\n\n Why? [/INST]");
    const std::vector<Exchange> earlier{{"Why?", "So."}};
    CHECK(prompt.turn(earlier, "Who?") == "</s>[INST] Who? [/INST]");
    const auto dropped =
        builder("{% for m in messages %}{% if m.role == 'user' %}U {{ m.content }} A{% endif %}"
                "{% endfor %}",
                "Be brief.");
    CHECK(dropped.prefix() == "U Be brief.\n\n");
}

TEST_CASE("a template may shorten the question and forget earlier turns")
{
    const auto prompt = builder(kReader);
    CHECK(prompt.prefix().empty());
    CHECK(prompt.turn({}, "Who is he?") == "\nWho is he?");
    CHECK(prompt.turn({}, "What comes after \"once upon\"?") == "\nonce upon");
    const std::vector<Exchange> earlier{{"Who is he?", "Nobody."}};
    CHECK(prompt.turn(earlier, "What follows \"a time\"?") == "\na time");

    const auto onlyQuoted =
        builder("<{% set c = messages[-1].content %}{{ c.split('\"')[-2] if '\"' in c else c }}>");
    CHECK(onlyQuoted.prefix() == "<");
    CHECK(onlyQuoted.turn({}, "Find \"it\".") == "it>");
}

TEST_CASE("words of the question cannot be taken for the document's place")
{
    const auto prompt = builder(kChatml);
    const std::string question = "DocumentGoesHerex7x DocumentGoesHerex77x AnswerGoesHerex7x0x";
    CHECK(prompt.turn({}, question) == "\n\n" + question + "<|im_end|>\n<|im_start|>assistant\n");
    const std::vector<Exchange> earlier{{question, "a"}};
    CHECK(prompt.turn(earlier, question) ==
          "<|im_end|>\n<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n");
}

TEST_CASE("templates that change the document are refused")
{
    const auto refused = [](const char* source) {
        try {
            builder(source);
        } catch (const engine::Error& error) {
            return error.code() == engine::ErrorCode::Unsupported;
        }
        return false;
    };
    CHECK(refused("{{ messages[0].content | upper }}"));
    CHECK(refused("{{ messages[0].content[:10] }}"));
    CHECK(refused("{{ messages[0].content ~ messages[0].content }}"));
    CHECK(refused("{{ messages[0].content | length ~ messages[0].content }}"));
    CHECK(refused("nothing"));
}

TEST_CASE("the prefix does not change from day to day")
{
    const auto prompt = builder("{{ strftime_now('%d %b %Y') }}: {{ messages[0].content }}");
    CHECK(prompt.prefix() == "26 Jul 2024: ");
    const PromptBuilder today(
        ChatTemplate::parse("{{ strftime_now('%Y') }} {{ messages[0].content }}"), "", "", "",
        std::chrono::sys_days{std::chrono::year{2030} / 1 / 1});
    CHECK(today.prefix() == "2030 ");
}
