#pragma once

#include "engine/gguf/gguf_file.h"
#include "kernels/kv_page.h"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "resources/models/reader_design.h"

namespace tests {

/// The constructed reader in plain loops, straight from the definitions and the file's tensors: an
/// independent check of the file, with a look inside that the engine does not give.
class PlainForward
{
public:
    explicit PlainForward(const engine::GgufFile& file);

    /// Reads tokens behind what was read before, at the given ascending positions. Keys and values
    /// are kept as float16. Returns the logits after the last token.
    std::vector<float> read(std::span<const std::int32_t> tokens,
                            std::span<const std::int32_t> positions);
    /// The same at the positions that follow.
    std::vector<float> read(std::span<const std::int32_t> tokens);

    /// Stores every full page of keys and values as `type`, as a kept context does.
    void pack(kernels::KvType type);

    std::int32_t nextPosition() const { return m_nextPosition; }

    /// (rows, kHeadDim) as they are kept now.
    const std::vector<float>& keys(std::size_t layer, std::size_t head) const
    {
        return m_cache[layer].keys[head];
    }
    /// Logits of the last row that was read towards every row, in nats, before the softmax.
    const std::vector<float>& lastLogits(std::size_t layer, std::size_t head) const
    {
        return m_cache[layer].logits[head];
    }
    /// The residual stream behind layer 0 of every row of the last read(): (rows, kWidth).
    const std::vector<float>& remembered() const { return m_remembered; }

    /// A tensor of the file as float32.
    static std::vector<float> floats(const engine::GgufFile& file, const std::string& name);
    /// Turns a head's vector as a row at `position`, pairs of neighbours, in float32.
    static void rotate(std::span<float> head, std::int32_t position,
                       std::span<const float> divisors);

private:
    struct Layer
    {
        std::vector<float> norm, query, key, value, output;
    };
    struct Cache
    {
        std::array<std::vector<float>, resources::kHeads> keys, values, logits;
    };

    void runLayer(std::size_t layer, std::vector<float>& stream,
                  std::span<const std::int32_t> positions);
    std::vector<float> attend(std::size_t layer, std::size_t head, std::span<const float> query,
                              std::size_t seen);

    std::vector<Layer> m_layers;
    std::vector<float> m_embedding, m_divisors, m_outputNorm, m_output;
    std::array<Cache, resources::kLayers> m_cache;
    std::vector<float> m_remembered;
    std::int32_t m_nextPosition = 0;
};

/// Greedy tokens until one ends the generation (it is not among them), at most `limit`.
std::vector<std::int32_t> greedy(PlainForward& model, std::vector<float> logits, std::int32_t end,
                                 std::size_t limit);

} // namespace tests
