#include "engine/trace/process_memory.h"

#include <fstream>
#include <string>

namespace engine {
namespace {

/// A line of /proc/self/status, in KiB there.
std::uint64_t statusField(const std::string& field)
{
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
        if (word == field) {
            std::uint64_t kibibytes = 0;
            status >> kibibytes;
            return kibibytes * 1024;
        }
    }
    return 0;
}

} // namespace

std::uint64_t residentBytes()
{
    return statusField("VmRSS:");
}

std::uint64_t peakResidentBytes()
{
    return statusField("VmHWM:");
}

void resetPeakResidentBytes()
{
    std::ofstream("/proc/self/clear_refs") << "5"; // see proc(5)
}

} // namespace engine
