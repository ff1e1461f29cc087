#include "engine/model/beacon.h"

#include "engine/model/weights_identity.h"
#include "engine/safetensors/safetensors_file.h"
#include "kernels/formats/bf16.h"
#include "kernels/formats/f16.h"

#include <algorithm>
#include <cstring>

namespace engine {
namespace {

using kernels::WeightType;
using kernels::WeightView;

constexpr const char* kEmbedding = "model.beacon_embed_tokens.weight";

/// Owns what the weight set's views look into.
struct Storage
{
    SafetensorsSet files;
    std::vector<std::vector<std::byte>> copies;
};

std::string shapeText(const std::vector<std::uint64_t>& shape)
{
    std::string text;
    for (const std::uint64_t extent : shape)
        text += (text.empty() ? "" : " x ") + std::to_string(extent);
    return text.empty() ? "no dimensions" : text;
}

/// A row of a head's q or k in the order of Hugging Face, where element i pairs with i + d/2, goes
/// to this row where neighbours are paired (structural.md 1.3).
std::size_t interleavedRow(std::size_t row, std::size_t headDim)
{
    const std::size_t inHead = row % headDim;
    const std::size_t half = headDim / 2;
    return row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
}

class BeaconLoader
{
public:
    BeaconLoader(const ModelConfig& model, const Weights& base, std::shared_ptr<Storage> storage,
                 BeaconParameters& out)
        : m_model(model)
        , m_base(base)
        , m_storage(std::move(storage))
        , m_out(out)
        , m_permutes(model.pairing == kernels::cpu::RopePairing::Interleaved)
    {}

    void load()
    {
        const std::size_t queryRows = std::size_t{m_model.heads} * m_model.headDim;
        const std::size_t keyRows = std::size_t{m_model.kvHeads} * m_model.headDim;
        WeightSet& set = m_out.weights;
        set.embedding = matrix(kEmbedding, 1, m_model.width, false);
        for (std::uint32_t index = 0; index < m_model.layers; ++index) {
            m_prefix = "model.layers." + std::to_string(index) + ".self_attn.beacon_";
            ProjectionWeights layer = m_base.layers[index];
            if (has('q'))
                readProjection('q', layer.query, layer.queryBias, queryRows, m_permutes);
            if (has('k'))
                readProjection('k', layer.key, layer.keyBias, keyRows, m_permutes);
            if (has('v'))
                readProjection('v', layer.value, layer.valueBias, keyRows, false);
            if (has('o'))
                layer.output = matrix(m_prefix + "o_proj.weight", m_model.width, queryRows, false);
            set.layers.push_back(std::move(layer));
        }
        set.storage = m_storage;
        refuseOthers();
    }

private:
    bool has(char letter) const
    {
        return m_out.config.projections.find(letter) != std::string::npos;
    }

    void readProjection(char letter, WeightView& weights, std::vector<float>& bias,
                        std::size_t rows, bool permutes)
    {
        const std::string name = m_prefix + letter + "_proj.";
        weights = matrix(name + "weight", rows, m_model.width, permutes);
        if (m_model.qkvBias)
            bias = vector(name + "bias", rows, permutes);
    }

    std::span<const std::byte> bytesOf(const std::string& name,
                                       const std::vector<std::uint64_t>& shape, WeightType& type)
    {
        const SafetensorsSet::Entry* entry = m_storage->files.find(name);
        if (entry == nullptr) {
            throw Error(ErrorCode::Damaged,
                        m_storage->files.name() + " lacks the tensor " + name +
                            "; it must have the beacon embedding and, in every layer, the "
                            "projections that its beacon_param lists (" +
                            (m_out.config.projections.empty() ? "none" : m_out.config.projections) +
                            "). Get a complete checkpoint.");
        }
        if (entry->tensor->shape != shape)
            failTensor(name, "has the shape " + shapeText(entry->tensor->shape), shapeText(shape));
        if (entry->tensor->type == "F32")
            type = WeightType::F32;
        else if (entry->tensor->type == "F16")
            type = WeightType::F16;
        else if (entry->tensor->type == "BF16")
            type = WeightType::BF16;
        else
            failTensor(name, "is stored as " + entry->tensor->type, "F32, F16 or BF16");
        m_read.push_back(name);
        m_out.bytes += entry->tensor->bytes;
        return entry->file->data(*entry->tensor);
    }

    [[noreturn]] void failTensor(const std::string& name, const std::string& problem,
                                 const std::string& wanted) const
    {
        throw Error(ErrorCode::Mismatch,
                    m_storage->files.name() + " does not fit " + m_model.name + ": the tensor " +
                        name + " " + problem + " instead of " + wanted +
                        ". Put the parameters that were trained for this model beside it.");
    }

    /// A view of the mapped tensor, or of a copy where its rows change places or its numbers are
    /// not aligned.
    WeightView matrix(const std::string& name, std::size_t rows, std::size_t cols, bool permutes)
    {
        WeightView view{nullptr, WeightType::F32, rows, cols};
        const std::span<const std::byte> data = bytesOf(name, {rows, cols}, view.type);
        const std::size_t element = kernels::blockShape(view.type).bytes;
        const bool aligned = reinterpret_cast<std::uintptr_t>(data.data()) % element == 0;
        if (aligned && !permutes) {
            view.data = data.data();
            return view;
        }
        std::vector<std::byte>& copy = m_storage->copies.emplace_back(data.size());
        const std::size_t rowBytes = cols * element;
        for (std::size_t row = 0; row < rows; ++row) {
            const std::size_t to = permutes ? interleavedRow(row, m_model.headDim) : row;
            std::memcpy(&copy[to * rowBytes], &data[row * rowBytes], rowBytes);
        }
        view.data = copy.data();
        return view;
    }

    std::vector<float> vector(const std::string& name, std::size_t size, bool permutes)
    {
        WeightType type = WeightType::F32;
        const std::span<const std::byte> data = bytesOf(name, {size}, type);
        std::vector<float> values(size);
        for (std::size_t i = 0; i < size; ++i)
            values[permutes ? interleavedRow(i, m_model.headDim) : i] = number(data, type, i);
        return values;
    }

    static float number(std::span<const std::byte> data, WeightType type, std::size_t index)
    {
        if (type == WeightType::F32) {
            float value = 0;
            std::memcpy(&value, &data[index * sizeof(value)], sizeof(value));
            return value;
        }
        std::uint16_t half = 0;
        std::memcpy(&half, &data[index * sizeof(half)], sizeof(half));
        return type == WeightType::F16 ? kernels::decodeF16(half) : kernels::decodeBf16(half);
    }

    /// Parameters that nobody would use mean that the checkpoint is of another kind.
    void refuseOthers() const
    {
        for (const auto& [name, entry] : m_storage->files.entries()) {
            if (name.find("beacon") == std::string::npos ||
                std::ranges::find(m_read, name) != m_read.end())
                continue;
            throw Error(ErrorCode::Unsupported,
                        m_storage->files.name() + " has the tensor " + name +
                            ", which does not belong to " + m_model.name +
                            " with the beacon_param " +
                            (m_out.config.projections.empty() ? "none" : m_out.config.projections) +
                            ". Choose a checkpoint with the beacon embedding and exactly those "
                            "projections in each layer.");
        }
    }

    const ModelConfig& m_model;
    const Weights& m_base;
    std::shared_ptr<Storage> m_storage;
    BeaconParameters& m_out;
    bool m_permutes;
    std::string m_prefix;
    std::vector<std::string> m_read;
};

JsonValue configOf(const std::filesystem::path& path, const SafetensorsSet& files)
{
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored))
        return parseJson(readSmallFile(path / "config.json"), files.name() + "/config.json");
    const auto config = files.metadata.find("config");
    if (config == files.metadata.end()) {
        throw Error(ErrorCode::Unsupported,
                    files.name() + " does not say how its beacons were trained: __metadata__ has "
                                   "no entry \"config\" with the text of config.json. Choose a "
                                   "file with it, or a folder with config.json.");
    }
    return parseJson(config->second, files.name());
}

std::string identityOf(const BeaconConfig& config, const SafetensorsSet& files)
{
    Sha256 hash;
    hashLine(hash, std::to_string(config.window) + " " + std::to_string(config.sinks) + " " +
                       config.projections);
    for (const auto& [name, entry] : files.entries()) {
        if (name.find("beacon") == std::string::npos)
            continue;
        hashLine(hash, name + " " + entry.tensor->type + " " + shapeText(entry.tensor->shape));
        hashTensorBytes(hash, entry.file->data(*entry.tensor));
    }
    return hash.hexDigest();
}

} // namespace

std::optional<std::filesystem::path> findBeacon(const std::filesystem::path& model)
{
    for (const char* ending : {".beacon", ".beacon.safetensors"}) {
        const auto path = model.parent_path() / (model.stem().string() + ending);
        std::error_code ignored;
        if (std::filesystem::exists(path, ignored))
            return path;
    }
    return std::nullopt;
}

BeaconParameters loadBeacon(const std::filesystem::path& path, const ModelConfig& model,
                            const Weights& base)
{
    const auto storage = std::make_shared<Storage>(Storage{SafetensorsSet::open(path), {}});
    BeaconParameters parameters;
    if (storage->files.find(kEmbedding) == nullptr) {
        throw Error(ErrorCode::Unsupported,
                    storage->files.name() + " has no beacon parameters: the tensor " + kEmbedding +
                        " is missing. Choose a checkpoint of Activation Beacon.");
    }
    parameters.config =
        readBeaconConfig(configOf(path, storage->files), storage->files.name(), model);
    BeaconLoader(model, base, storage, parameters).load();
    parameters.identity = identityOf(parameters.config, storage->files);
    return parameters;
}

} // namespace engine
