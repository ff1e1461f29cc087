#pragma once

#include "engine/kv/byte_stream.h"

#include <cstddef>
#include <span>
#include <vector>

namespace engine {

/// Lossless coding of bytes by how often each value occurs: range asymmetric numeral systems (Duda
/// 2013, arXiv 1311.2540), one static table for the stream. Four coders take turns, so that a
/// processor works on four symbols at once. A stream that would not get smaller is stored as it is.
void encodeEntropy(std::span<const std::byte> bytes, ByteWriter& writer);

/// Reads `count` bytes of one stream. Throws Damaged (through `reader`) when the table or the
/// length of the stream cannot be right; the memory taken depends on `count` alone.
std::vector<std::byte> decodeEntropy(ByteReader& reader, std::size_t count);

} // namespace engine
