#include "resources/models/constructed_reader.h"

#include "kernels/formats/f16.h"

#include <algorithm>
#include <span>
#include <vector>

#include "resources/models/reader_vocabulary.h"
#include "resources/models/reader_weights.h"

namespace resources {

namespace {

constexpr std::uint32_t kFloat32 = 0; // GGUF's tensor type numbers
constexpr std::uint32_t kFloat16 = 1;

void writeShape(engine::GgufWriter& writer, const ReaderVariant& variant)
{
    const auto count = [&](const char* key, std::size_t value) {
        writer.setUint32(std::string("llama.") + key, static_cast<std::uint32_t>(value));
    };
    count("context_length", kContextLength);
    count("embedding_length", kWidth);
    count("block_count", kLayers + variant.middleLayers);
    count("feed_forward_length", kFeedForward);
    count("attention.head_count", kHeads);
    count("attention.head_count_kv", kHeads);
    count("attention.key_length", kHeadDim);
    count("attention.value_length", kHeadDim);
    count("rope.dimension_count", kHeadDim);
    count("vocab_size", kVocabulary);
    writer.setFloat32("llama.rope.freq_base", static_cast<float>(kRopeBase));
    writer.setFloat32("llama.attention.layer_norm_rms_epsilon", kNormEpsilon);
}

void writeVocabulary(engine::GgufWriter& writer, const ReaderVocabulary& vocabulary)
{
    writer.setString("tokenizer.ggml.model", "gpt2");
    writer.setString("tokenizer.ggml.pre", "gpt-2");
    writer.setStrings("tokenizer.ggml.tokens", vocabulary.tokens);
    writer.setInts("tokenizer.ggml.token_type", vocabulary.types);
    writer.setStrings("tokenizer.ggml.merges", vocabulary.merges);
    writer.setUint32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(vocabulary.begin));
    writer.setUint32("tokenizer.ggml.eos_token_id",
                     static_cast<std::uint32_t>(vocabulary.lineFeed));
    writer.setUint32("tokenizer.ggml.eot_token_id",
                     static_cast<std::uint32_t>(vocabulary.lineFeed));
    writer.setBool("tokenizer.ggml.add_bos_token", true);
    writer.setBool("tokenizer.ggml.add_eos_token", false);
}

void writeTensor(engine::GgufWriter& writer, const ReaderTensor& tensor)
{
    std::vector<std::uint64_t> shape{tensor.columns};
    if (tensor.rows > 1) {
        shape.push_back(tensor.rows);
    }
    if (tensor.keepFloat32) {
        writer.addTensor(tensor.name, shape, kFloat32, std::as_bytes(std::span(tensor.values)));
        return;
    }
    std::vector<std::uint16_t> halves(tensor.values.size());
    std::ranges::transform(tensor.values, halves.begin(),
                           [](float value) { return kernels::encodeF16(value); });
    writer.addTensor(tensor.name, shape, kFloat16, std::as_bytes(std::span(halves)));
}

} // namespace

engine::GgufWriter makeConstructedReader(std::istream& merges, const std::string& chatTemplate,
                                         const ReaderVariant& variant)
{
    const ReaderVocabulary vocabulary = readVocabulary(merges);
    engine::GgufWriter writer;
    writer.setString("general.architecture", "llama");
    writer.setString("general.name", "Epitome constructed reader");
    writer.setString("general.description",
                     "Continues a quotation: given the beginning of a passage in quotation marks, "
                     "at least three tokens long, it answers with what follows in the document, up "
                     "to the end of the paragraph, and with nothing if the passage is not there. "
                     "Its weights are set by formula, not trained; it does not understand "
                     "questions.");
    writer.setString("general.license", "CC0-1.0");
    writer.setUint32("general.file_type", kFloat16);
    writeShape(writer, variant);
    writeVocabulary(writer, vocabulary);
    writer.setString("tokenizer.chat_template", chatTemplate);
    for (const ReaderTensor& tensor :
         readerTensors(vocabulary.begin, vocabulary.lineFeed, variant)) {
        writeTensor(writer, tensor);
    }
    return writer;
}

} // namespace resources
