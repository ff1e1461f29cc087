#pragma once

#include <string>
#include <vector>

namespace engine {

/// A line of comma-separated values with its line feed (RFC 4180): fields with commas or quotation
/// marks are quoted, line feeds become blanks.
std::string csvLine(const std::vector<std::string>& fields);

/// The fields of one line without its line feed.
std::vector<std::string> csvFields(const std::string& line);

/// At most six digits, the same for the same value.
std::string csvNumber(double value);

} // namespace engine
