// The parts of a conversation have to become the tokens that its whole text would become.

#include "engine/dialog/prompt_tokens.h"
#include "engine/gguf/gguf_file.h"
#include "tests/engine/text/tokenizer_fixtures.h"

#include <doctest/doctest.h>
#include <filesystem>

namespace {

using namespace engine;
using Ids = std::vector<std::int32_t>;

constexpr const char* kInst =
    "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} [/INST]"
    "{% else %} {{ m.content }}{{ eos_token }}{% endif %}{% endfor %}";
constexpr const char* kLines =
    "{% for m in messages %}{{ m.role }}:\n{{ m.content }}{{ eos_token }}\n{% endfor %}"
    "{{ 'assistant:\n' }}";
constexpr const char* kBehindToken =
    "{% for m in messages %}{{ bos_token }}{{ m.content }}{{ eos_token }}{% endfor %}"
    "{{ bos_token }}";

const std::string kDocument = "The ferry left at nine.\n\nNobody saw the pilot (or said so).";
const std::vector<Exchange> kEarlier{{"When did the ferry leave?", "At nine."}};
const std::string kQuestion = "Who saw the pilot?";

/// What the template makes of the whole conversation, tokenised in one piece.
Ids inOnePiece(const Tokenizer& tokenizer, const ChatTemplate* chat)
{
    const std::string bos = tokenizer.piece(*tokenizer.bos(), true);
    std::string text = kDocument + "\n\n" + kEarlier[0].question;
    if (chat != nullptr) {
        const std::vector<ChatMessage> messages{
            {"user", text}, {"assistant", kEarlier[0].answer}, {"user", kQuestion}};
        text = chat->render(
            chatVariables(messages, true, bos, tokenizer.piece(*tokenizer.eos(), true)),
            PromptBuilder::kFixedDay);
    }
    return tokenizer.encode(text, SpecialTokens::Parse, !text.starts_with(bos)).ids;
}

/// The same from its parts, as a preparation and a continued conversation read it.
Ids inParts(const PromptTokens& prompts, bool continued)
{
    Ids ids = prompts.prefix();
    const auto add = [&ids](const Ids& part) { ids.insert(ids.end(), part.begin(), part.end()); };
    add(prompts.document(kDocument).ids);
    const Ids first = prompts.turn({}, kEarlier[0].question);
    add(first);
    if (continued) {
        add(prompts.answer(first, kEarlier[0].answer));
        add(prompts.turn(kEarlier, kQuestion));
    }
    return ids;
}

/// Readable when a check fails.
std::string shown(const Ids& ids)
{
    std::string text;
    for (const std::int32_t id : ids)
        text += std::to_string(id) + " ";
    return text;
}

void checkTemplates(const Tokenizer& tokenizer)
{
    for (const char* source : {kInst, kLines, kBehindToken}) {
        // The blank of "[INST] " and the first word are one token, which only the tokenizer's own
        // blank can make of two parts.
        if (source == kInst && !tokenizer.putsBlankInFront())
            continue;
        const auto chat = ChatTemplate::parse(source);
        const PromptTokens prompts(tokenizer, chat, {});
        CAPTURE(std::string(source));
        CHECK(shown(inParts(prompts, true)) == shown(inOnePiece(tokenizer, chat.get())));
        CHECK(prompts.document(kDocument).ranges.back().end == kDocument.size());
    }
    const PromptTokens raw(tokenizer, nullptr, {});
    CHECK(shown(inParts(raw, false)) == shown(inOnePiece(tokenizer, nullptr)));
}

} // namespace

TEST_CASE("SentencePiece puts no blank between the parts of a conversation")
{
    tests::VocabularyDraft draft = tests::spmDraft();
    const std::string mark = "\xe2\x96\x81";
    draft.add(mark, 1, -9);
    for (const char* word : {"The", "At", "Who", "When"}) {
        for (std::size_t end = 1; word[end - 1] != 0; ++end) {
            draft.add(std::string(word, end), 1, -8 - static_cast<float>(end));
            draft.add(mark + std::string(word, end), 1, -8 - static_cast<float>(end));
        }
    }
    auto writer = tests::spmWriter(draft);
    const auto tokenizer = tests::makeTokenizer(writer);
    checkTemplates(*tokenizer);

    const PromptTokens raw(*tokenizer, nullptr, {});
    CHECK(tokenizer->piece(raw.turn({}, kQuestion).front(), false) == "\n");
    CHECK(tokenizer->encode("x", SpecialTokens::AsText, false).ids.size() == 2);
    CHECK(tokenizer->encodeContinued("x", SpecialTokens::AsText).ids.size() == 1);

    writer.setBool("tokenizer.ggml.add_space_prefix", false);
    checkTemplates(*tests::makeTokenizer(writer));
}

TEST_CASE("parts and whole are the same tokens with the vocabularies of real models")
{
    const auto folder = std::filesystem::path(SHARED_DIR) / "goldens" / "tokenizers";
    if (!std::filesystem::exists(folder / "llama-spm.gguf")) {
        MESSAGE("SKIPPED: no golden files in " << folder.string());
        return;
    }
    for (const char* name : {"llama-spm.gguf", "phi-3.gguf"}) {
        CAPTURE(std::string(name));
        checkTemplates(*Tokenizer::fromGguf(*GgufFile::open(folder / name)));
    }
}
