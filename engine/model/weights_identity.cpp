#include "engine/model/weights_identity.h"

namespace engine {
namespace {

constexpr std::size_t kHashedWhole = std::size_t{1} << 20; // bytes
constexpr std::size_t kSampleBytes = 4096;

} // namespace

void hashLine(Sha256& hash, std::string_view text)
{
    hash.update(std::as_bytes(std::span(text)));
    const char separator = '\n';
    hash.update(std::as_bytes(std::span(&separator, 1)));
}

void hashTensorBytes(Sha256& hash, std::span<const std::byte> data)
{
    if (data.size() <= kHashedWhole) {
        hash.update(data);
        return;
    }
    hash.update(data.first(kSampleBytes));
    hash.update(data.subspan((data.size() - kSampleBytes) / 2, kSampleBytes));
    hash.update(data.last(kSampleBytes));
}

} // namespace engine
