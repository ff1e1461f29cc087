#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace app {

/// XXH3-128 (xxhash.com), big-endian.
using Checksum = std::array<std::byte, 16>;

/// Checksum of a value and of the place it belongs to, so that good bytes in the wrong row are
/// found as well. `kind` names the table, `owner` the context; `index` and `name` say which value
/// of it. Guards against faults, not against intent.
Checksum checksumOf(std::span<const std::byte> bytes, std::string_view kind, std::int64_t owner,
                    std::uint64_t index, std::string_view name = {});

bool equalBytes(std::span<const std::byte> a, std::span<const std::byte> b);

} // namespace app
