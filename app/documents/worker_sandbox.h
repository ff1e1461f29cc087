#pragma once

#include <cstdint>
#include <filesystem>

namespace app {

/// What of the confinement this machine's kernel could give.
struct Confinement
{
    bool filesLocked = false; // Landlock: only fonts, system libraries and the document can be read
    bool systemLocked = false; // seccomp: no sockets, no other programs
};

/// Gives up everything that reading one document does not need. Called in the worker process before
/// the file is opened; there is no way back. Limits: `memoryBytes` of address space (not in builds
/// with the address sanitizer, which reserves more), no file written, no core dump, few open files.
/// A kernel without Landlock or seccomp leaves the limits, which is said in the result.
Confinement confineWorker(const std::filesystem::path& document, std::uint64_t memoryBytes);

/// From now on the process may compute for another `seconds`, then it is ended.
void allowComputingFor(std::uint64_t seconds);

} // namespace app
