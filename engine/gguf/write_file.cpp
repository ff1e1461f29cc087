#include "engine/gguf/write_file.h"

#include "engine/error.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <string>

namespace engine {

void writeFile(const std::filesystem::path& path, std::span<const std::byte> content)
{
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    if (!file) {
        throw Error(ErrorCode::ReadOnly,
                    path.string() + " cannot be written. Choose a folder you may write to.",
                    std::strerror(errno));
    }
    file.write(reinterpret_cast<const char*>(content.data()),
               static_cast<std::streamsize>(content.size()));
    file.close();
    if (!file) {
        throw Error(ErrorCode::DiskFull,
                    path.string() + " could not be written to the end. Free " +
                        std::to_string(content.size()) + " bytes on the disk and try again.",
                    std::strerror(errno));
    }
}

} // namespace engine
