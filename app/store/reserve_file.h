#pragma once

#include <cstdint>
#include <filesystem>

namespace app {

/// Space set aside while there is some. When the disk is full even a deletion fails, because it
/// first writes to the log; giving up the reserve makes it possible.
class ReserveFile
{
public:
    ReserveFile(std::filesystem::path file, std::int64_t bytes);

    /// Takes the space if it is not held yet. Returns false if the disk has not got it.
    bool acquire();
    /// Gives the space back. Returns false if there was none.
    bool release();

private:
    std::filesystem::path m_file;
    std::int64_t m_bytes;
};

} // namespace app
