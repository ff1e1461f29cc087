#include "tests/engine/methods/reader_fixture.h"

#include <array>

namespace tests {
namespace {

constexpr std::array kSubjects{"The gardener", "A sailor",   "The young clerk", "Our neighbour",
                               "The miller",   "An old fox", "The surveyor",    "A patient nurse"};
constexpr std::array kVerbs{"carried", "painted", "measured",  "forgot",
                            "mended",  "sold",    "described", "buried"};
constexpr std::array kManners{"northwards", "yesterday", "quietly", "twice",
                              "indoors",    "downhill",  "alone",   "barefoot"};

} // namespace

std::shared_ptr<engine::LoadedModel> loadReader(unsigned threads)
{
    return engine::loadModel(std::string(BINARY_DIR) + "/resources/constructed-reader.gguf",
                             {.threads = threads});
}

std::string makeText(std::size_t words, std::uint32_t seed)
{
    std::string text;
    std::size_t written = 0;
    const auto next = [&seed] {
        seed = seed * 1664525U + 1013904223U;
        return seed >> 16U;
    };
    while (written < words) {
        // A number every few words: no three tokens in a row are likely to stand anywhere else.
        text += std::string(kSubjects[next() % 8]) + " number " + std::to_string(next() % 9973) +
                " " + kVerbs[next() % 8] + " item " + std::to_string(next() % 9973) + " " +
                kManners[next() % 8] + " " + std::to_string(next() % 9973) + ".";
        text += next() % 4 == 0 ? "\n\n" : " ";
        written += 9;
    }
    return text;
}

std::shared_ptr<const engine::Context> prepare(const std::shared_ptr<engine::LoadedModel>& model,
                                               const std::string& text,
                                               const engine::PrepareOptions& options)
{
    engine::Preparation preparation(model, text, options);
    while (preparation.advance()) {
    }
    return preparation.finish();
}

engine::Answer ask(const std::shared_ptr<engine::LoadedModel>& model,
                   const std::shared_ptr<const engine::Context>& context,
                   const std::string& question)
{
    engine::Conversation conversation(model, context);
    return conversation.ask(question, {.maxTokens = 60}, {});
}

std::vector<std::uint32_t> rowsOf(const engine::KvList& list)
{
    std::vector<std::uint32_t> rows;
    for (std::uint32_t entry = 0; entry < list.length(); ++entry)
        rows.push_back(list.row(entry));
    return rows;
}

} // namespace tests
