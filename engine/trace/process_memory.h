#pragma once

#include <cstdint>

namespace engine {

/// Bytes of this process in memory now, and the most there have been, as the operating system
/// counts them. 0 where it does not say.
std::uint64_t residentBytes();
std::uint64_t peakResidentBytes();

} // namespace engine
