#include "engine/model/model.h"

#include "engine/model/weights_identity.h"

#include <cmath>

namespace engine {
namespace {

void hashTensor(Sha256& hash, const GgufFile& file, const GgufTensor& tensor)
{
    std::string line = tensor.name + " " + std::to_string(tensor.type);
    for (const std::uint64_t extent : tensor.shape)
        line += " " + std::to_string(extent);
    hashLine(hash, line);
    hashTensorBytes(hash, file.data(tensor));
}

} // namespace

LoadedModel::LoadedModel(const std::filesystem::path& path, const LoadOptions& options)
{
    const std::shared_ptr<const GgufFile> file = GgufFile::open(path);
    m_info = describeModel(path, *file);
    m_config = readModelConfig(*file);
    RopeDivisors divisors{readVector(*file, "rope_freqs.weight"),
                          readVector(*file, "rope_factors_short.weight"),
                          readVector(*file, "rope_factors_long.weight")};
    m_config.rope = readRopeConfig(*file, m_config.architecture, m_config.headDim,
                                   m_config.contextLength, std::move(divisors));
    m_weights = mapWeights(file, m_config);
    m_tokenizer = Tokenizer::fromGguf(*file);
    if (m_tokenizer->vocabularySize() > m_config.vocabularySize) {
        throw Error(ErrorCode::Damaged, file->name() + " is damaged: it has " +
                                            std::to_string(m_tokenizer->vocabularySize()) +
                                            " tokens but only " +
                                            std::to_string(m_config.vocabularySize) +
                                            " embedding rows. Get the file again.");
    }
    if (const auto source = file->findString("tokenizer.chat_template"))
        m_template = ChatTemplate::parse(*source);
    m_backend = makeBackend(options.device, options.threads,
                            options.exactProducts ? kernels::cpu::Activations::F32
                                                  : kernels::cpu::Activations::Int8);
    m_transformer = std::make_unique<Transformer>(m_config, m_weights, *m_backend);
    m_identity = computeIdentity();
}

const BeaconParameters& LoadedModel::beacon()
{
    if (m_beacon)
        return *m_beacon;
    const auto path = findBeacon(m_info.path);
    if (!path) {
        const std::string stem = m_info.path.stem().string();
        throw Error(ErrorCode::BadInput,
                    m_info.name +
                        " has no beacon parameters, which are trained for one model: "
                        "neither the folder " +
                        stem + ".beacon nor the file " + stem +
                        ".beacon.safetensors lies beside it. Put one of them there, or choose "
                        "another method, for instance kvzip.");
    }
    m_beacon = loadBeacon(*path, m_config, m_weights);
    m_weights.extraSets = {m_beacon->weights};
    m_weights.bytes += m_beacon->bytes;
    return *m_beacon;
}

std::string LoadedModel::computeIdentity() const
{
    Sha256 hash;
    hashLine(hash, m_config.architecture);
    for (const std::uint32_t each : {m_config.layers, m_config.width, m_config.heads,
                                     m_config.kvHeads, m_config.headDim, m_config.contextLength})
        hashLine(hash, std::to_string(each));
    hashLine(hash, m_config.rope.canonical());
    hashLine(hash, m_tokenizer->hash());
    for (const GgufTensor& tensor : m_weights.file->tensors())
        hashTensor(hash, *m_weights.file, tensor);
    return hash.hexDigest();
}

std::shared_ptr<LoadedModel> loadModel(const std::filesystem::path& path,
                                       const LoadOptions& options)
{
    return std::make_shared<LoadedModel>(path, options);
}

const ModelInfo& modelInfo(const LoadedModel& model)
{
    return model.info();
}

const Tokenizer& tokenizerOf(const LoadedModel& model)
{
    return model.tokenizer();
}

std::string modelIdentity(const LoadedModel& model)
{
    return model.identity();
}

std::string deviceSentence(const LoadedModel& model)
{
    return model.backend().sentence();
}

std::vector<float> logits(LoadedModel& model, std::span<const std::int32_t> ids, bool all)
{
    if (ids.empty())
        throw Error(ErrorCode::BadInput, "Give at least one token id.");
    for (const std::int32_t id : ids) {
        if (id < 0 || static_cast<std::uint32_t>(id) >= model.config().vocabularySize) {
            throw Error(ErrorCode::BadInput, "The token id " + std::to_string(id) +
                                                 " is not in the model's vocabulary of " +
                                                 std::to_string(model.config().vocabularySize) +
                                                 " tokens.");
        }
    }
    KvStore store(model.kvShape(), KvType::F32);
    Job job;
    job.tokens.assign(ids.begin(), ids.end());
    for (std::size_t i = 0; i < ids.size(); ++i)
        job.positions.push_back(static_cast<std::int32_t>(i));
    job.logits = all ? LogitRows::All : LogitRows::Last;
    return model.transformer().run(std::move(job), store).logits;
}

} // namespace engine
