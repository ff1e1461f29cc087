#include "engine/dialog/job_checkpoint.h"

#include "engine/kv/byte_stream.h"
#include "kernels/formats/f16.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

namespace engine {
namespace {

constexpr std::uint32_t kMagic = 0x4A435045; // "EPCJ"
constexpr std::size_t kSmallParts = 256;     // bytes: all of a block that is no array
constexpr const char* kName = "The saved progress of this preparation";

std::vector<std::uint16_t> toHalves(std::span<const float> values)
{
    std::vector<std::uint16_t> halves(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        halves[i] = kernels::encodeF16(values[i]);
    return halves;
}

void writeHead(ByteWriter& writer, const KvList& list, std::uint32_t count, std::size_t headDim)
{
    assert(count <= list.length());
    std::vector<float> rows(count * headDim);
    list.readKeys(rows, list.length() - count, headDim);
    writer.putArray(std::span<const std::uint16_t>(toHalves(rows)));
    list.readValues(rows, list.length() - count, headDim);
    writer.putArray(std::span<const std::uint16_t>(toHalves(rows)));
}

/// Of the tokens and of the keys and values, with the counts in front of the arrays.
std::size_t blockBytes(const Job& job, const KvShape& shape, std::size_t count)
{
    const std::size_t array = sizeof(std::uint64_t) + count * shape.headDim * sizeof(std::uint16_t);
    const std::size_t layers = std::min(job.layerEnd, shape.layers) - job.layerBegin;
    return job.tokens.size() * sizeof(std::int32_t) + layers * shape.kvHeads * 2 * array;
}

/// Reads one head's rows into its place of a (count, kvHeads, headDim) array.
void readHead(ByteReader& reader, std::span<float> out, std::size_t stride, std::size_t headDim)
{
    const auto halves = reader.getArray<std::uint16_t>("keys and values");
    const std::size_t count = out.size() / stride + (out.size() % stride == 0 ? 0 : 1);
    if (halves.size() != count * headDim)
        reader.fail("keys and values");
    for (std::size_t row = 0; row < count; ++row) {
        for (std::size_t c = 0; c < headDim; ++c)
            out[row * stride + c] = kernels::decodeF16(halves[row * headDim + c]);
    }
}

} // namespace

std::vector<std::byte> writeJobCheckpoint(const Job& job, const KvStore& store,
                                          const JobRemains& remains)
{
    const KvShape shape = store.shape();
    const auto count = job.keepsKv ? static_cast<std::uint32_t>(job.tokens.size()) : 0U;
    const std::uint32_t layerEnd = std::min(job.layerEnd, shape.layers);
    ByteWriter writer;
    // A block of a model with many heads has a hundred megabytes: growing would hold it twice.
    writer.reserve(blockBytes(job, shape, count) + remains.state.size() + kSmallParts);
    writer.put(kMagic);
    writer.putArray(std::span<const std::int32_t>(job.tokens));
    writer.put(count);
    for (std::uint32_t layer = job.layerBegin; count != 0 && layer < layerEnd; ++layer) {
        for (std::uint32_t head = 0; head < shape.kvHeads; ++head)
            writeHead(writer, store.list(layer, head), count, shape.headDim);
    }
    writer.putArray(std::span<const std::byte>(remains.state));
    writer.put(remains.seconds);
    writer.put(remains.peakBytes);
    return writer.take();
}

JobRemains replayJobCheckpoint(const Job& job, KvStore& store, Backend& backend,
                               std::span<const std::byte> piece)
{
    ByteReader reader(piece, kName);
    if (reader.get<std::uint32_t>("magic") != kMagic)
        reader.fail("magic");
    if (reader.getArray<std::int32_t>("tokens") != job.tokens) {
        throw Error(ErrorCode::Mismatch,
                    "The saved progress belongs to another document, model or setting. Prepare the "
                    "document again.");
    }
    const auto count = reader.get<std::uint32_t>("rows");
    if (count != (job.keepsKv ? job.tokens.size() : 0))
        reader.fail("rows");
    if (count != 0) {
        const KvShape shape = store.shape();
        const std::size_t stride = std::size_t{shape.kvHeads} * shape.headDim;
        std::vector<std::uint32_t> rows(count);
        std::iota(rows.begin(), rows.end(),
                  job.roles.empty() ? store.appendRows(job.positions, job.role)
                                    : store.appendRows(job.positions, job.roles));
        std::vector<float> keys(count * stride);
        std::vector<float> values(count * stride);
        const std::uint32_t layerEnd = std::min(job.layerEnd, shape.layers);
        for (std::uint32_t layer = job.layerBegin; layer < layerEnd; ++layer) {
            for (std::uint32_t head = 0; head < shape.kvHeads; ++head) {
                const std::size_t place = std::size_t{head} * shape.headDim;
                readHead(reader, std::span(keys).subspan(place), stride, shape.headDim);
                readHead(reader, std::span(values).subspan(place), stride, shape.headDim);
            }
            store.appendKv(layer, keys, values, rows, backend);
        }
    }
    JobRemains remains;
    remains.state = reader.getArray<std::byte>("state");
    remains.seconds = reader.get<double>("seconds");
    remains.peakBytes = reader.get<std::uint64_t>("peak");
    reader.expectEnd();
    if (!std::isfinite(remains.seconds) || remains.seconds < 0)
        reader.fail("seconds");
    return remains;
}

} // namespace engine
