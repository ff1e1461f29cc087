#pragma once

#include <cstdint>

namespace engine {

/// Bytes of this process in memory now, and the most there have been, as the operating system
/// counts them. 0 where it does not say.
std::uint64_t residentBytes();
std::uint64_t peakResidentBytes();

/// Lets the peak start again from what is in memory now. Nothing happens where the system has no
/// such thing: the peak is then that of the process's whole life.
void resetPeakResidentBytes();

} // namespace engine
