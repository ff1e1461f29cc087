#pragma once

#include <filesystem>
#include <stop_token>
#include <string>
#include <string_view>

namespace app {

/// SHA-256 of a text as 64 lower-case hexadecimal digits.
std::string sha256Hex(std::string_view text);

/// SHA-256 of a file, read in pieces of 1 MiB.
/// @throws engine::Error NotFound if it cannot be read, Cancelled if `stop` was requested.
std::string sha256OfFile(const std::filesystem::path& file, std::stop_token stop = {});

} // namespace app
