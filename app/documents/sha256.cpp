#include "app/documents/sha256.h"

#include "app/documents/file_name.h"
#include "engine/error.h"
#include "engine/hash/sha256.h"

#include <fstream>
#include <span>
#include <vector>

namespace app {

std::string sha256Hex(std::string_view text)
{
    engine::Sha256 hash;
    hash.update(std::as_bytes(std::span(text)));
    return hash.hexDigest();
}

std::string sha256OfFile(const std::filesystem::path& file, std::stop_token stop)
{
    std::ifstream stream(file, std::ios::binary);
    if (!stream)
        throw engine::Error(engine::ErrorCode::NotFound,
                            quotedName(file) + " could not be opened for reading.", file.string());
    engine::Sha256 hash;
    std::vector<char> buffer(1 << 20);
    while (stream) {
        if (stop.stop_requested())
            throw engine::Error(engine::ErrorCode::Cancelled,
                                "The import of " + quotedName(file) + " was cancelled.");
        stream.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
        hash.update(
            std::as_bytes(std::span(buffer.data(), static_cast<std::size_t>(stream.gcount()))));
    }
    if (stream.bad())
        throw engine::Error(engine::ErrorCode::NotFound,
                            quotedName(file) + " could not be read to its end.", file.string());
    return hash.hexDigest();
}

} // namespace app
