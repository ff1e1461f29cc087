#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace engine {

/// Writes a file whole, over what was there. Throws ReadOnly when it cannot be opened, DiskFull
/// when it cannot be written to the end.
void writeFile(const std::filesystem::path& path, std::span<const std::byte> content);

} // namespace engine
