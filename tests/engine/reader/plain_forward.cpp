#include "tests/engine/reader/plain_forward.h"

#include "kernels/formats/f16.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

namespace tests {

using namespace resources;

namespace {

constexpr std::size_t kAllHeads = kHeads * kHeadDim;

/// out[r] = sum over c of matrix[r][c] * in[c]
std::vector<float> product(std::span<const float> matrix, std::span<const float> in)
{
    std::vector<float> out(matrix.size() / in.size());
    for (std::size_t r = 0; r < out.size(); ++r) {
        out[r] = std::inner_product(in.begin(), in.end(), &matrix[r * in.size()], 0.0F);
    }
    return out;
}

std::vector<float> normed(std::span<const float> in, std::span<const float> weight)
{
    const float squares = std::inner_product(in.begin(), in.end(), in.begin(), 0.0F);
    const float divisor = std::sqrt(squares / static_cast<float>(in.size()) + kNormEpsilon);
    std::vector<float> out(in.size());
    for (std::size_t i = 0; i < in.size(); ++i) {
        out[i] = in[i] / divisor * weight[i];
    }
    return out;
}

void appendHalves(std::vector<float>& list, std::span<const float> values)
{
    std::ranges::transform(values, std::back_inserter(list), [](float value) {
        return kernels::decodeF16(kernels::encodeF16(value));
    });
}

} // namespace

std::vector<float> PlainForward::floats(const engine::GgufFile& file, const std::string& name)
{
    const engine::GgufTensor* tensor = file.findTensor(name);
    if (tensor == nullptr) {
        throw engine::Error(engine::ErrorCode::Damaged, "The reader has no tensor " + name + ".");
    }
    const std::span<const std::byte> bytes = file.data(*tensor);
    if (tensor->type == 0) {
        std::vector<float> out(bytes.size() / sizeof(float));
        std::memcpy(out.data(), bytes.data(), bytes.size());
        return out;
    }
    std::vector<std::uint16_t> halves(bytes.size() / sizeof(std::uint16_t));
    std::memcpy(halves.data(), bytes.data(), bytes.size());
    std::vector<float> out(halves.size());
    std::ranges::transform(halves, out.begin(), kernels::decodeF16);
    return out;
}

void PlainForward::rotate(std::span<float> head, std::int32_t position,
                          std::span<const float> divisors)
{
    for (std::size_t pair = 0; pair < head.size() / 2; ++pair) {
        const double exponent = -2.0 * static_cast<double>(pair) / static_cast<double>(head.size());
        const auto frequency = static_cast<float>(std::pow(kRopeBase, exponent)) / divisors[pair];
        const float angle = static_cast<float>(position) * frequency;
        const float x = head[2 * pair];
        const float y = head[2 * pair + 1];
        head[2 * pair] = x * std::cos(angle) - y * std::sin(angle);
        head[2 * pair + 1] = x * std::sin(angle) + y * std::cos(angle);
    }
}

PlainForward::PlainForward(const engine::GgufFile& file)
    : m_embedding(floats(file, "token_embd.weight"))
    , m_divisors(floats(file, "rope_freqs.weight"))
    , m_outputNorm(floats(file, "output_norm.weight"))
    , m_output(floats(file, "output.weight"))
{
    for (std::size_t layer = 0; layer < kLayers; ++layer) {
        const std::string prefix = "blk." + std::to_string(layer) + ".attn_";
        m_layers.push_back({floats(file, prefix + "norm.weight"), floats(file, prefix + "q.weight"),
                            floats(file, prefix + "k.weight"), floats(file, prefix + "v.weight"),
                            floats(file, prefix + "output.weight")});
    }
}

std::vector<float> PlainForward::read(std::span<const std::int32_t> tokens)
{
    std::vector<std::int32_t> positions(tokens.size());
    std::iota(positions.begin(), positions.end(), m_nextPosition);
    return read(tokens, positions);
}

std::vector<float> PlainForward::read(std::span<const std::int32_t> tokens,
                                      std::span<const std::int32_t> positions)
{
    std::vector<float> stream;
    for (const std::int32_t token : tokens) {
        const auto row = m_embedding.begin() + std::ptrdiff_t{token} * std::ptrdiff_t{kWidth};
        stream.insert(stream.end(), row, row + std::ptrdiff_t{kWidth});
    }
    runLayer(0, stream, positions);
    m_remembered = stream;
    runLayer(1, stream, positions);
    m_nextPosition = positions.back() + 1;
    const std::span<const float> last(&stream[stream.size() - kWidth], kWidth);
    return product(m_output, normed(last, m_outputNorm));
}

/// The feed-forward part is left out: a test asserts that its matrices are zero.
void PlainForward::runLayer(std::size_t layer, std::vector<float>& stream,
                            std::span<const std::int32_t> positions)
{
    const Layer& weights = m_layers[layer];
    Cache& cache = m_cache[layer];
    for (std::size_t row = 0; row < positions.size(); ++row) {
        const std::span<float> x(&stream[row * kWidth], kWidth);
        const std::vector<float> in = normed(x, weights.norm);
        std::vector<float> query = product(weights.query, in);
        std::vector<float> key = product(weights.key, in);
        const std::vector<float> value = product(weights.value, in);
        std::vector<float> gathered;
        for (std::size_t head = 0; head < kHeads; ++head) {
            const std::span<float> q(&query[head * kHeadDim], kHeadDim);
            const std::span<float> k(&key[head * kHeadDim], kHeadDim);
            rotate(q, positions[row], m_divisors);
            rotate(k, positions[row], m_divisors);
            appendHalves(cache.keys[head], k);
            appendHalves(cache.values[head], std::span(&value[head * kHeadDim], kHeadDim));
            const std::vector<float> out =
                attend(layer, head, q, cache.keys[head].size() / kHeadDim);
            gathered.insert(gathered.end(), out.begin(), out.end());
        }
        const std::vector<float> added = product(weights.output, gathered);
        std::ranges::transform(x, added, x.begin(), std::plus{});
    }
}

std::vector<float> PlainForward::attend(std::size_t layer, std::size_t head,
                                        std::span<const float> query, std::size_t seen)
{
    const std::vector<float>& keys = m_cache[layer].keys[head];
    const std::vector<float>& values = m_cache[layer].values[head];
    std::vector<float>& logits = m_cache[layer].logits[head];
    logits = product(std::span(keys).first(seen * kHeadDim), query);
    const float scale = 1.0F / std::sqrt(static_cast<float>(kHeadDim));
    std::ranges::transform(logits, logits.begin(), [=](float logit) { return logit * scale; });
    const float highest = *std::ranges::max_element(logits);
    float sum = 0.0F;
    std::vector<float> out(kHeadDim, 0.0F);
    for (std::size_t j = 0; j < seen; ++j) {
        const float weight = std::exp(logits[j] - highest);
        sum += weight;
        for (std::size_t dim = 0; dim < kHeadDim; ++dim) {
            out[dim] += weight * values[j * kHeadDim + dim];
        }
    }
    std::ranges::transform(out, out.begin(), [=](float number) { return number / sum; });
    return out;
}

void PlainForward::pack(kernels::KvType type)
{
    constexpr std::size_t kPageFloats = kernels::kPageRows * kHeadDim;
    std::vector<std::byte> keyPage(kernels::keyPageBytes(type, kHeadDim));
    std::vector<std::byte> valuePage(kernels::valuePageBytes(type, kHeadDim));
    for (Cache& cache : m_cache) {
        for (std::size_t head = 0; head < kHeads; ++head) {
            for (std::size_t at = 0; at + kPageFloats <= cache.keys[head].size();
                 at += kPageFloats) {
                const std::span<float> keys(&cache.keys[head][at], kPageFloats);
                kernels::cpu::encodeKeys(type, keyPage.data(), keys, kHeadDim, 0);
                kernels::cpu::decodeKeys(type, keys, keyPage.data(), kHeadDim, 0,
                                         kernels::kPageRows);
                const std::span<float> values(&cache.values[head][at], kPageFloats);
                kernels::cpu::encodeValues(type, valuePage.data(), values, kHeadDim, 0);
                kernels::cpu::decodeValues(type, values, valuePage.data(), kHeadDim, 0,
                                           kernels::kPageRows);
            }
        }
    }
}

std::vector<std::int32_t> greedy(PlainForward& model, std::vector<float> logits, std::int32_t end,
                                 std::size_t limit)
{
    std::vector<std::int32_t> out;
    while (out.size() < limit) {
        const auto best = std::ranges::max_element(logits);
        const auto token = static_cast<std::int32_t>(best - logits.begin());
        if (token == end) {
            break;
        }
        out.push_back(token);
        logits = model.read(std::span(&token, 1));
    }
    return out;
}

} // namespace tests
