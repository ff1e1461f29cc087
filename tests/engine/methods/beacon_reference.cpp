#include "tests/engine/methods/beacon_reference.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace tests {
namespace {

constexpr std::size_t kHeadDim = BeaconCheckpoint::kHeadDim;
constexpr std::size_t kWidth = BeaconCheckpoint::kWidth;

std::vector<float> product(const std::vector<float>& matrix, const std::vector<float>& in)
{
    std::vector<float> out(matrix.size() / in.size());
    for (std::size_t row = 0; row < out.size(); ++row) {
        double sum = 0;
        for (std::size_t col = 0; col < in.size(); ++col)
            sum += static_cast<double>(matrix[row * in.size() + col]) * in[col];
        out[row] = static_cast<float>(sum);
    }
    return out;
}

std::vector<float> normed(const std::vector<float>& gain, const std::vector<float>& in)
{
    double squares = 0;
    for (const float each : in)
        squares += static_cast<double>(each) * each;
    const double factor = 1.0 / std::sqrt(squares / static_cast<double>(in.size()) + 1e-5);
    std::vector<float> out(in.size());
    for (std::size_t i = 0; i < in.size(); ++i)
        out[i] = static_cast<float>(in[i] * factor * gain[i]);
    return out;
}

/// One head's vector at a position; element i pairs with i + d/2.
std::vector<float> turned(const float* head, double position)
{
    std::vector<float> out(kHeadDim);
    for (std::size_t i = 0; i < kHeadDim / 2; ++i) {
        const double angle = position * std::pow(10000.0, -2.0 * static_cast<double>(i) /
                                                              static_cast<double>(kHeadDim));
        const double a = head[i];
        const double b = head[i + kHeadDim / 2];
        out[i] = static_cast<float>(a * std::cos(angle) - b * std::sin(angle));
        out[i + kHeadDim / 2] = static_cast<float>(b * std::cos(angle) + a * std::sin(angle));
    }
    return out;
}

void addTo(std::vector<float>& x, const std::vector<float>& y)
{
    for (std::size_t i = 0; i < x.size(); ++i)
        x[i] += y[i];
}

std::string layerName(std::uint32_t layer)
{
    return "model.layers." + std::to_string(layer) + ".";
}

} // namespace

BeaconReference::BeaconReference(const BeaconCheckpoint& checkpoint, std::uint32_t ratio,
                                 double stretch)
    : m_checkpoint(checkpoint)
    , m_ratio(ratio)
    , m_stretch(stretch)
{}

std::vector<const BeaconReference::Entry*> BeaconReference::held() const
{
    std::vector<const Entry*> all;
    for (const auto* list : {&m_sink, &m_beacon, &m_raw}) {
        for (const Entry& entry : *list)
            all.push_back(&entry);
    }
    return all;
}

std::vector<BeaconReference::Row> BeaconReference::memory() const
{
    std::vector<Row> rows;
    for (const Entry* entry : held())
        rows.push_back(entry->row);
    return rows;
}

std::vector<float> BeaconReference::keys(std::uint32_t layer, std::uint32_t head) const
{
    std::vector<float> out;
    const auto all = held();
    for (std::size_t index = 0; index < all.size(); ++index) {
        const auto key = turned(&all[index]->keys[layer][head * kHeadDim],
                                m_stretch * static_cast<double>(index));
        out.insert(out.end(), key.begin(), key.end());
    }
    return out;
}

std::vector<float> BeaconReference::embeddingOf(const Row& row, std::int32_t token) const
{
    if (row.beacon)
        return m_checkpoint.tensor("model.beacon_embed_tokens.weight");
    const auto& table = m_checkpoint.tensor("model.embed_tokens.weight");
    const auto begin = table.begin() + token * static_cast<std::ptrdiff_t>(kWidth);
    return {begin, begin + static_cast<std::ptrdiff_t>(kWidth)};
}

std::vector<float> BeaconReference::project(std::uint32_t layer, const Row& row, const char* letter,
                                            const std::vector<float>& in) const
{
    const std::string own = layerName(layer) + "self_attn." + letter + "_proj.";
    const std::string beacon = layerName(layer) + "self_attn.beacon_" + letter + "_proj.";
    const std::string name = row.beacon && m_checkpoint.has(beacon + "weight") ? beacon : own;
    std::vector<float> out = product(m_checkpoint.tensor(name + "weight"), in);
    if (m_checkpoint.has(name + "bias"))
        addTo(out, m_checkpoint.tensor(name + "bias"));
    return out;
}

std::vector<float> BeaconReference::attend(std::uint32_t layer,
                                           const std::vector<const Entry*>& all, std::size_t index,
                                           const std::vector<float>& query) const
{
    constexpr std::size_t kGroup = BeaconCheckpoint::kHeads / BeaconCheckpoint::kKvHeads;
    std::vector<float> out(query.size());
    for (std::size_t head = 0; head < BeaconCheckpoint::kHeads; ++head) {
        const std::size_t kvHead = head / kGroup;
        const auto q = turned(&query[head * kHeadDim], m_stretch * static_cast<double>(index));
        std::vector<double> weights;
        double largest = -1e300;
        for (std::size_t j = 0; j <= index; ++j) {
            const auto k =
                turned(&all[j]->keys[layer][kvHead * kHeadDim], m_stretch * static_cast<double>(j));
            double dot = 0;
            for (std::size_t c = 0; c < kHeadDim; ++c)
                dot += static_cast<double>(q[c]) * k[c];
            weights.push_back(dot / std::sqrt(static_cast<double>(kHeadDim)));
            largest = std::max(largest, weights.back());
        }
        double total = 0;
        for (double& weight : weights)
            total += weight = std::exp(weight - largest);
        for (std::size_t c = 0; c < kHeadDim; ++c) {
            double sum = 0;
            for (std::size_t j = 0; j <= index; ++j)
                sum += weights[j] * all[j]->values[layer][kvHead * kHeadDim + c];
            out[head * kHeadDim + c] = static_cast<float>(sum / total);
        }
    }
    return out;
}

void BeaconReference::runLayer(std::uint32_t layer, std::vector<Entry>& rows,
                               std::vector<std::vector<float>>& hidden)
{
    const std::string name = layerName(layer);
    std::vector<const Entry*> all = held();
    const std::size_t before = all.size();
    std::vector<std::vector<float>> queries;
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto in = normed(m_checkpoint.tensor(name + "input_layernorm.weight"), hidden[r]);
        queries.push_back(project(layer, rows[r].row, "q", in));
        rows[r].keys[layer] = project(layer, rows[r].row, "k", in);
        rows[r].values[layer] = project(layer, rows[r].row, "v", in);
        all.push_back(&rows[r]);
    }
    for (std::size_t r = 0; r < rows.size(); ++r) {
        const auto attended = attend(layer, all, before + r, queries[r]);
        addTo(hidden[r], project(layer, rows[r].row, "o", attended));
        const auto in =
            normed(m_checkpoint.tensor(name + "post_attention_layernorm.weight"), hidden[r]);
        auto gate = product(m_checkpoint.tensor(name + "mlp.gate_proj.weight"), in);
        const auto up = product(m_checkpoint.tensor(name + "mlp.up_proj.weight"), in);
        for (std::size_t i = 0; i < gate.size(); ++i)
            gate[i] = gate[i] / (1.0F + std::exp(-gate[i])) * up[i];
        addTo(hidden[r], product(m_checkpoint.tensor(name + "mlp.down_proj.weight"), gate));
    }
}

std::vector<std::vector<float>> BeaconReference::forward(std::vector<Entry>& rows,
                                                         std::vector<std::vector<float>> hidden)
{
    for (std::uint32_t layer = 0; layer < BeaconCheckpoint::kLayers; ++layer)
        runLayer(layer, rows, hidden);
    std::vector<std::vector<float>> logits;
    for (const auto& each : hidden)
        logits.push_back(product(m_checkpoint.tensor("lm_head.weight"),
                                 normed(m_checkpoint.tensor("model.norm.weight"), each)));
    return logits;
}

void BeaconReference::readPrefix(std::span<const std::int32_t> tokens)
{
    std::vector<Entry> rows;
    std::vector<std::vector<float>> hidden;
    for (const std::int32_t token : tokens) {
        rows.push_back({{false, m_prefix++}, {}, {}});
        hidden.push_back(embeddingOf(rows.back().row, token));
    }
    forward(rows, std::move(hidden));
    m_sink.insert(m_sink.end(), rows.begin(), rows.end());
}

std::vector<std::vector<float>> BeaconReference::read(std::span<const std::int32_t> tokens)
{
    std::vector<std::vector<float>> logits;
    const std::uint32_t total = m_end + static_cast<std::uint32_t>(tokens.size());
    while (m_end < total)
        step(tokens.subspan(tokens.size() - (total - m_end)), logits);
    return logits;
}

std::vector<std::vector<float>> BeaconReference::readRaw(std::span<const std::int32_t> tokens)
{
    std::vector<Entry> rows;
    std::vector<std::vector<float>> hidden;
    for (const std::int32_t token : tokens) {
        rows.push_back({{false, 0}, {}, {}});
        hidden.push_back(embeddingOf(rows.back().row, token));
    }
    const auto logits = forward(rows, std::move(hidden));
    m_raw.insert(m_raw.end(), rows.begin(), rows.end());
    return logits;
}

/// Steps 1 to 8 of structural.md 4.2; `text` is everything that is there and not read yet.
void BeaconReference::step(std::span<const std::int32_t> text,
                           std::vector<std::vector<float>>& logits)
{
    const std::uint32_t window = m_checkpoint.spec().window;
    const std::uint32_t available = m_end + static_cast<std::uint32_t>(text.size());
    const std::uint32_t end = std::min(m_start + window, available);
    const bool full = m_start + window <= available;
    const std::uint32_t consumed = end - m_end;
    const std::uint32_t inserted = m_ratio == 0 ? 0 : (consumed + m_rem) / m_ratio;

    std::vector<Entry> rows;
    std::vector<std::vector<float>> hidden;
    std::uint32_t next = 0;
    for (std::uint32_t t = 0; t < consumed + inserted; ++t) {
        const bool beacon = m_ratio != 0 && t % (m_ratio + 1) == m_ratio - m_rem;
        rows.push_back({{beacon, beacon ? m_beacons++ : m_end + next}, {}, {}});
        hidden.push_back(embeddingOf(rows.back().row, beacon ? -1 : text[next++]));
    }
    const auto all = forward(rows, std::move(hidden));
    for (std::size_t r = 0; r < rows.size(); ++r) {
        if (!rows[r].row.beacon)
            logits.push_back(all[r]);
    }
    if (m_ratio != 0)
        m_rem = (consumed + m_rem) % m_ratio;
    m_end = end;
    m_raw.insert(m_raw.end(), rows.begin(), rows.end());
    if (!full)
        return;
    m_start += window;
    const std::size_t sinks =
        m_sinksTaken ? 0 : std::max(m_checkpoint.spec().sinks, m_prefix) - m_prefix;
    m_sinksTaken = true;
    for (std::size_t i = 0; i < m_raw.size(); ++i) {
        if (i < sinks)
            m_sink.push_back(m_raw[i]);
        else if (m_raw[i].row.beacon || m_ratio == 0)
            m_beacon.push_back(m_raw[i]);
    }
    m_raw.clear();
}

} // namespace tests
