// The chat template inside the constructed reader keeps documents whole and cuts questions down to
// what they quote.

#include "engine/text/chat_template.h"
#include "tests/engine/reader/reader_file.h"

#include <doctest/doctest.h>
#include <string>

namespace {

std::string render(const std::vector<engine::ChatMessage>& messages)
{
    const auto source = tests::readerFile()->stringOf("tokenizer.chat_template");
    return engine::ChatTemplate::parse(source)->render(messages, true, "<|begin|>", "\n");
}

/// What is left of a question behind a document.
std::string asked(const std::string& question)
{
    const std::string document = "A text with \"quotes\", “more of them”\n\nand a second part.";
    const std::string text = render({{"user", document + "\n\n" + question}});
    CHECK(text.starts_with(document + "\n\n"));
    return text.substr(document.size() + 2);
}

} // namespace

TEST_CASE("a question is cut down to its last quotation")
{
    CHECK(asked("What follows \"the green lamp\"?") == "the green lamp");
    CHECK(asked("Not \"this one\" but \"that one\", please.") == "that one");
    CHECK(asked("What comes after “the green lamp” here?") == "the green lamp");
    CHECK(asked("“One” or “two”?") == "two");
    CHECK(asked("\" padded \"") == "padded");
    CHECK(asked("\"It goes on…\"") == "It goes on");
    CHECK(asked("What follows \"He left.\"?") == "He left.");
}

TEST_CASE("the outer marks count where both kinds stand")
{
    CHECK(asked("Go on: \"“Well,” said the miller\"") == "“Well,” said the miller");
    CHECK(asked("Go on: “he said \"no\" and”") == "he said \"no\" and");
}

TEST_CASE("a question without a quotation is used as it is, without its end marks")
{
    CHECK(asked("the old harbour burns?") == "the old harbour burns");
    CHECK(asked("the old harbour burns ...") == "the old harbour burns");
    CHECK(asked("a single \" mark") == "a single \" mark");
    CHECK(asked("a closing ” alone") == "a closing ” alone");
    CHECK(asked("Who is it?") == "Who is it");
}

TEST_CASE("later turns follow with nothing in between but blank lines")
{
    CHECK(render({{"user", "The document.\n\nWhat follows \"the lamp\"?"},
                  {"assistant", " burns."},
                  {"user", "And after \"the mill\"?"}}) ==
          "The document.\n\nthe lamp burns.\n\nthe mill");
    CHECK(render({{"system", "Be brief."}, {"user", "A.\n\n\"b c d\""}}) ==
          "Be brief.\n\nA.\n\nb c d");
}
