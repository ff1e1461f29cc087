#include "engine/methods/homer_bias.h"

#include "engine/error.h"
#include "engine/hash/sha256.h"
#include "engine/kv/byte_stream.h"

#include <algorithm>
#include <cmath>

namespace engine {
namespace {

constexpr std::uint32_t kMagic = 0x42485045; // "EPHB"
constexpr const char* kName = "HOMER's bias table";
constexpr std::uint32_t kLongest = 1U << 24U;

} // namespace

float HomerBias::at(std::uint32_t layer, std::size_t distance) const
{
    if (length == 0)
        return 0;
    return values[std::size_t{layer} * length + std::min<std::size_t>(distance, length - 1)];
}

std::string writeHomerBias(const HomerBias& bias)
{
    ByteWriter writer;
    writer.put(kMagic);
    writer.putText(bias.model);
    writer.putText(bias.rope);
    writer.put(bias.layers);
    writer.put(bias.length);
    writer.putArray(std::span<const float>(bias.values));
    const std::vector<std::byte> bytes = writer.take();
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

HomerBias readHomerBias(std::string_view bytes, std::string_view model, std::string_view rope,
                        std::uint32_t layers)
{
    ByteReader reader(std::as_bytes(std::span(bytes)), kName);
    if (reader.get<std::uint32_t>("magic") != kMagic)
        reader.fail("magic");
    HomerBias bias;
    bias.model = reader.getText("model");
    bias.rope = reader.getText("positions");
    bias.layers = reader.get<std::uint32_t>("layers");
    bias.length = reader.get<std::uint32_t>("length");
    bias.values = reader.getArray<float>("values");
    reader.expectEnd();
    if (bias.rope != rope) {
        throw Error(ErrorCode::Mismatch, "HOMER's bias table was measured with other positions (" +
                                             bias.rope + ") than are used now (" +
                                             std::string(rope) +
                                             "). Leave it out, and a new one is measured.");
    }
    if (bias.model != model) {
        throw Error(ErrorCode::Mismatch, "HOMER's bias table was measured on another model. Leave "
                                         "it out, and a new one is measured.");
    }
    if (bias.layers != layers || bias.length == 0 || bias.length > kLongest ||
        bias.values.size() != std::size_t{bias.layers} * bias.length)
        reader.fail("size");
    if (!std::ranges::all_of(bias.values, [](float value) { return std::isfinite(value); }))
        reader.fail("values");
    return bias;
}

std::string homerBiasKey(std::string_view model, std::string_view rope, std::uint32_t length,
                         std::uint32_t pieces)
{
    ByteWriter writer;
    writer.put(kMagic);
    writer.putText(std::string(model));
    writer.putText(std::string(rope));
    writer.put(length);
    writer.put(pieces);
    Sha256 hash;
    hash.update(writer.take());
    return hash.hexDigest();
}

} // namespace engine
