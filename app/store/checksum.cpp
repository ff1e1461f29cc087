#include "app/store/checksum.h"

#include <algorithm>
#include <string>
#include <xxhash.h>

namespace app {

Checksum checksumOf(std::span<const std::byte> bytes, std::string_view kind, std::int64_t owner,
                    std::uint64_t index, std::string_view name)
{
    std::string place(kind);
    place += '\0';
    place += std::to_string(owner);
    place += '\0';
    place += std::to_string(index);
    place += '\0';
    place += name;
    const XXH64_hash_t seed = XXH3_64bits(place.data(), place.size());
    const XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed);
    XXH128_canonical_t canonical;
    XXH128_canonicalFromHash(&canonical, hash);
    Checksum checksum;
    std::ranges::transform(canonical.digest, checksum.begin(),
                           [](unsigned char byte) { return std::byte{byte}; });
    return checksum;
}

bool equalBytes(std::span<const std::byte> a, std::span<const std::byte> b)
{
    return std::ranges::equal(a, b);
}

} // namespace app
