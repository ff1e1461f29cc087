#include "engine/text/tokenizer.h"

#include "engine/gguf/gguf_file.h"
#include "engine/text/tokenizer_bpe.h"
#include "engine/text/tokenizer_spm.h"

namespace engine {

std::unique_ptr<const Tokenizer> Tokenizer::fromGguf(const GgufFile& file)
{
    const std::string kind = file.stringOf("tokenizer.ggml.model");
    if (kind == "llama") {
        return std::make_unique<const SpmTokenizer>(file);
    }
    if (kind == "gpt2") {
        return std::make_unique<const BpeTokenizer>(file);
    }
    throw Error(ErrorCode::Unsupported,
                file.name() +
                    " has a tokenizer of a kind this program does not know "
                    "(tokenizer.ggml.model is \"" +
                    kind + "\"). Choose a model of the Llama, Qwen or Phi family.");
}

std::string Tokenizer::decode(const std::vector<std::int32_t>& ids, bool showSpecial) const
{
    std::string text;
    for (const std::int32_t id : ids) {
        text += piece(id, showSpecial);
    }
    return text;
}

} // namespace engine
